import type { DockerSight } from "../host/container-engine.js";
import type { Host } from "../host/host.js";
import { withinSeconds } from "../lib/deadline.js";
import { BerthError } from "../lib/errors.js";
import type { ContainerEngine } from "./container-engine.js";
import { createContainerEngine, hasEngineSocket } from "./docker-engine.js";

const lookSeconds = 15;

/** What the engine at a host's own socket says, which `up` uses; undefined on a host without such a socket. */
export async function lookAtDocker(host: Host): Promise<DockerSight | undefined> {
  if (!(await hasEngineSocket(host))) return undefined;
  return sightOf(createContainerEngine(host));
}

/** What makes an engine of no use is told; it is no error for whoever looks. */
export async function sightOf(engine: ContainerEngine): Promise<DockerSight> {
  let known: DockerSight["engine"];
  try {
    return await inTime(async () => {
      const { product, version, apiVersion } = await engine.version();
      known = { engine: product, version, apiVersion };
      return { engine: known, publishedPorts: await publishedPorts(engine) };
    });
  } catch (error) {
    const { what: problem, hint } = asUseless(error).parts;
    return { engine: known, problem: { what: problem, hint: hint ?? "" }, publishedPorts: [] };
  }
}

/**
 * Ports of the host that lead into running containers, also where the engine listens on none of them itself. An engine
 * of no use has none.
 */
export async function findPublishedPorts(
  host: Pick<Host, "run" | "status">,
  findEngine: () => Promise<ContainerEngine>,
): Promise<readonly number[]> {
  if (!(await hasEngineSocket(host))) return [];
  const engine = await findEngine();
  try {
    return await inTime(() => publishedPorts(engine));
  } catch (error) {
    asUseless(error);
    return [];
  }
}

async function publishedPorts(engine: ContainerEngine): Promise<number[]> {
  return (await engine.listContainers({})).flatMap(({ ports }) => ports);
}

function inTime<T>(look: () => Promise<T>): Promise<T> {
  const what = `the Docker Engine does not answer within ${lookSeconds} s`;
  const late = new BerthError("docker-unreachable", { what, hint: "look at what it does: journalctl -u docker" });
  return withinSeconds(lookSeconds, look, late);
}

/** @throws what is not the engine's fault */
function asUseless(error: unknown): BerthError {
  if (!(error instanceof BerthError) || error.code === "host-unreachable") throw error;
  return error;
}
