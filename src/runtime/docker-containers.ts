import { sha256 } from "../lib/canonical.js";
import { identityLabels } from "./container-body.js";
import type { ContainerEngine, ContainerStatus } from "./container-engine.js";
import { generationOf, instanceFolderName, instanceOf, runnerId } from "./runner-id.js";
import type { RunnerDefinition } from "./supervisor.js";

type Named = Pick<RunnerDefinition, "id">;

/** What an engine has of a runner. */
export interface FoundContainers {
  /** Its own, whatever it is called now. */
  readonly own: ContainerStatus | undefined;
  /** Somebody else's, which has the name of the runner's. */
  readonly foreign: ContainerStatus | undefined;
}

/**
 * The containers of a data directory's runners. Names carry a digest of the data directory, as one engine may serve
 * several; whose a container is, its labels tell, which nobody can change.
 */
export class DockerContainers {
  readonly #dataDir: string;
  readonly #suffix: string;

  constructor(dataDir: string) {
    this.#dataDir = dataDir;
    this.#suffix = sha256(dataDir).slice(0, 8);
  }

  /** Docker's names hold no `@`, which programs may give; the id's digest keeps them apart all the same. */
  nameOf({ id }: Named): string {
    return `${id.replaceAll("@", "_")}.${this.#suffix}`;
  }

  /** By its name; only when it does not have that, by its labels among all. */
  async find(engine: ContainerEngine, runner: Named): Promise<FoundContainers> {
    const named = await engine.inspectContainer(this.nameOf(runner));
    if (named !== undefined && this.#idOf(named.body.Labels) === runner.id) return { own: named, foreign: undefined };
    const [id] = await this.listOwn(engine, runner);
    return { own: id === undefined ? undefined : await engine.inspectContainer(id), foreign: named };
  }

  /** Somebody else's, which has the name of the runner's. */
  async findForeign(engine: ContainerEngine, runner: Named): Promise<ContainerStatus | undefined> {
    const named = await engine.inspectContainer(this.nameOf(runner));
    return named === undefined || this.#idOf(named.body.Labels) === runner.id ? undefined : named;
  }

  /** The engine's ids of a runner's containers: of more than one somebody has made a copy. */
  async listOwn(engine: ContainerEngine, { id: wanted }: Named): Promise<string[]> {
    const labels = identityLabels({ dataDir: this.#dataDir, generation: generationOf(wanted) });
    const all = await engine.listContainers(labels);
    return all.filter(({ labels }) => this.#idOf(labels) === wanted).map(({ id }) => id);
  }

  /** Ids of an instance's runners that have a container, by their labels. @param instance its folder */
  async listRunners(engine: ContainerEngine, instance: string): Promise<string[]> {
    const labels = identityLabels({ dataDir: this.#dataDir, ...instanceOf(instance) });
    const all = await engine.listContainers(labels);
    return [...new Set(all.map(({ labels }) => this.#idOf(labels)).filter((id) => id !== undefined))];
  }

  /** The runner that labels tell of; undefined for a container that is not of this data directory's. */
  #idOf(labels: Readonly<Record<string, string>>): string | undefined {
    const { "berth.owner": owner, "berth.instance": instance, "berth.generation": generation } = labels;
    if (labels["berth.data-dir"] !== this.#dataDir) return undefined;
    if (owner === undefined || instance === undefined || generation === undefined) return undefined;
    return runnerId(instanceFolderName(owner, instance), generation);
  }
}
