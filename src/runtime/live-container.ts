/** What a runner's container really is, as its engine tells. */
import { BerthError } from "../lib/errors.js";
import type { Seen, SeenImage } from "../planner/provenance.js";
import type { ContainerBody } from "./container-body.js";
import type { ContainerEngine } from "./container-engine.js";
import { DockerContainers } from "./docker-containers.js";
import type { RunnerDefinition } from "./supervisor.js";

export interface SeenContainer {
  readonly image: SeenImage;
  /** How it was made: the engine changes nothing of that while it is there. */
  readonly body: ContainerBody;
  /** What the image itself gives; undefined when the engine has the image no more. */
  readonly given: { readonly entrypoint: readonly string[]; readonly environment: readonly string[] } | undefined;
}

/** Of an engine that does not answer it is told why. */
export async function readLiveContainer(
  engine: ContainerEngine,
  dataDir: string,
  runner: Pick<RunnerDefinition, "id">,
): Promise<Seen<SeenContainer>> {
  try {
    const { own } = await new DockerContainers(dataDir).find(engine, runner);
    if (own === undefined) return { unknown: "there is no container" };
    const image = await engine.findImage(own.imageId);
    const given = image && { entrypoint: image.entrypoint ?? [], environment: image.environment };
    return { value: { image: { id: own.imageId, names: image?.digests ?? [] }, body: own.body, given } };
  } catch (error) {
    if (!(error instanceof BerthError) || error.code === "host-unreachable") throw error;
    return { unknown: error.parts.what };
  }
}
