import { BerthError } from "../lib/errors.js";
import type { HostFacts } from "../schema/facts.js";
import type { HostEntry } from "../schema/hosts.js";
import type { PlacedHost } from "../schema/lock.js";

/** Networks and volumes as they are asked for, where there is a Docker that can make them. Pure. */
export function placeDockerObjects(
  name: string,
  { networks, volumes, ssh }: Pick<HostEntry, "networks" | "volumes" | "ssh">,
  { containerEngine }: Pick<HostFacts, "containerEngine">,
): Pick<PlacedHost, "networks" | "volumes"> {
  const asked = [...Object.keys(networks ?? {}), ...Object.keys(volumes ?? {})];
  if (asked.length === 0) return {};
  const where = `host ${name}`;
  if (containerEngine?.engine !== "docker") {
    throw new BerthError("host-unsuitable", {
      where,
      what: "the stack declares Docker networks or volumes, and no Docker answers there",
      got: `${asked.join(", ")}; ${containerEngine === undefined ? "no container engine" : containerEngine.engine}`,
      expected: "Docker that answers the user that Berth works as",
      hint: `look at \`berth facts ${name}\`, or leave networks and volumes of this host out`,
    });
  }
  if (ssh?.sudo === "nonInteractive") {
    throw new BerthError("host-unsuitable", {
      where,
      what: "the stack declares Docker networks or volumes, and Pulumi's Docker plugin logs in without sudo",
      got: `${asked.join(", ")}; ssh.sudo: nonInteractive`,
      expected: "a login that may use Docker itself: root, or a user of the group docker, and no `ssh.sudo`",
      hint: "log in as such a user, or make them by a `setup` command (`docker volume create`)",
    });
  }
  return { ...(networks === undefined ? {} : { networks }), ...(volumes === undefined ? {} : { volumes }) };
}
