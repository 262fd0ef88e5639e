import { BerthError } from "../lib/errors.js";
import type { HostFacts } from "../schema/facts.js";
import type { LockedEngine } from "../schema/lock.js";

/**
 * A backend version that is an image needs a Docker Engine.
 *
 * @throws BerthError `host-unsuitable` for a host without one that answers
 */
export function assertContainers(
  facts: Pick<HostFacts, "containerEngine"> | undefined,
  { backend, backendVersion }: Pick<LockedEngine, "backend" | "backendVersion">,
  where: string,
  host: string,
): void {
  const engine = facts?.containerEngine;
  if (engine?.engine === "docker" && engine.problem === undefined) return;
  if (engine?.engine === "docker") {
    throw new BerthError("host-unsuitable", {
      where,
      what: `${backend} ${backendVersion} is a container image, and the Docker Engine of host ${host} cannot be used: ${engine.problem?.what ?? ""}`,
      got: `Docker ${engine.version}${engine.apiVersion === undefined ? "" : `, API ${engine.apiVersion}`}`,
      expected: "Docker Engine 20.10 or later, which this user may use",
      hint: engine.problem?.hint ?? "",
    });
  }
  throw new BerthError("host-unsuitable", {
    where,
    what: `${backend} ${backendVersion} is a container image, and host ${host} has no Docker Engine that answers`,
    got: engine === undefined ? "no container engine" : `${engine.engine} ${engine.version}`,
    expected: "Docker Engine, which this user may use",
    hint: "install and start it, or add the user to the group docker; `berth facts` tells what was found, and `berth backend show` lists versions that are no images",
  });
}
