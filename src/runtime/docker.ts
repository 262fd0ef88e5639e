import type { Host } from "../host/host.js";
import { withinSeconds } from "../lib/deadline.js";
import { BerthError } from "../lib/errors.js";
import { containerBody, identityLabels, type ContainerBody } from "./container-body.js";
import { differences } from "./container-difference.js";
import type { ContainerEngine } from "./container-engine.js";
import { DockerAside } from "./docker-aside.js";
import { DockerContainers, type FoundContainers } from "./docker-containers.js";
import { DockerDefinitions } from "./docker-definitions.js";
import { hasEngineSocket } from "./docker-engine.js";
import { describeContainer, foreignError, foreignRunner } from "./docker-foreign.js";
import { changesOf, endText, nameOf, stateOf, variablesOf } from "./docker-observation.js";
import { assertNoEngine, isUnreachable } from "./docker-remains.js";
import { readRunner, writeRunnerFiles } from "./runner-files.js";
import type {
  OutputFollower,
  RunnerDefinition,
  RunnerObservation,
  RunnerPlace,
  RunnerSpec,
  Supervisor,
} from "./supervisor.js";

export interface DockerOptions {
  readonly host: Host;
  readonly dataDir: string;
  readonly engine: () => Promise<ContainerEngine>;
}

/** How long an engine may take to tell whether it has something of a data directory that nobody knows of. */
const lookSeconds = 10;

/**
 * Containers of the host's Docker Engine, which brings them back itself. How one was made is written down in the data
 * directory, so that a change by hand shows.
 */
export class Docker implements Supervisor {
  readonly #options: DockerOptions;
  readonly #definitions: DockerDefinitions;
  readonly #containers: DockerContainers;
  readonly #aside: DockerAside;

  constructor(options: DockerOptions) {
    this.#options = options;
    this.#definitions = new DockerDefinitions(options.host, options.dataDir);
    this.#containers = new DockerContainers(options.dataDir);
    this.#aside = new DockerAside(options.host, this.#definitions.folder);
  }

  /** The engine runs, or {@link start} is told that it does not. */
  prepare(): Promise<void> {
    return Promise.resolve();
  }

  async start(spec: RunnerSpec): Promise<void> {
    const { host } = this.#options;
    const engine = await this.#options.engine();
    const body = await this.#body(engine, spec);
    const name = this.#containers.nameOf(spec);
    await writeRunnerFiles(host, spec);
    await this.#definitions.write(spec, body);
    const cache = spec.container?.settings.cache?.source;
    if (cache !== undefined) await host.makeDirectory(cache);
    const { own, foreign } = await this.#containers.find(engine, spec);
    if (foreign !== undefined) throw foreignError(this.#options.host.name, foreign);
    const asWanted = own !== undefined && differences(body, own.body).length === 0;
    const isRenamed = asWanted && own.name !== name;
    if (isRenamed) await engine.renameContainer(own.id, name);
    // One that was called otherwise by hand lacks nothing else.
    if (isRenamed && own.state === "running") return;
    // A container that served once and was stopped is started as it is: nothing is as sure to work.
    if (own !== undefined && !(asWanted && own.state === "exited")) await this.#removeOwn(engine, spec);
    if (!asWanted || own.state !== "exited") await engine.createContainer(name, body);
    await engine.startContainer(name);
  }

  async stop(definition: RunnerDefinition): Promise<void> {
    const engine = await this.#options.engine();
    const { own } = await this.#containers.find(engine, definition);
    if (own !== undefined) await engine.stopContainer(own.id, definition.stopSeconds);
  }

  async remove(definition: RunnerDefinition): Promise<void> {
    const { host } = this.#options;
    const remove = async () => {
      const engine = await this.#options.engine();
      await this.#removeOwn(engine, definition);
      await this.#aside.bringBack(engine, definition);
    };
    if (await this.#isKnown(definition)) {
      await remove().catch((error: unknown) => {
        if (!isUnreachable(error)) throw error;
        return assertNoEngine(host, error);
      });
    } else if (await hasEngineSocket(host)) {
      await attempt(remove);
    }
    await this.#definitions.remove(definition);
    await this.#aside.forget(definition);
  }

  async observe(definition: RunnerDefinition): Promise<RunnerObservation> {
    const written = await this.#definitions.read(definition);
    const absent: RunnerObservation = { state: { kind: "absent" }, restarts: 0, asDefined: false };
    const seen = await this.#look(definition);
    if (seen === "unreachable")
      return written === undefined ? absent : { state: { kind: "unsupervised" }, restarts: 0, asDefined: true };
    const { own, foreign } = seen;
    const taken = foreign === undefined ? [] : [`${describeContainer(foreign)} has its name`];
    if (own === undefined) return { ...absent, changes: taken };
    const renamed = own.name === this.#containers.nameOf(definition) ? [] : [`renamed to ${own.name}`];
    const changes = [...renamed, ...taken, ...changesOf(written, own.body)];
    return { state: stateOf(own), restarts: own.restarts, asDefined: changes.length === 0, changes };
  }

  /** Looking never fails for an engine that is down; whoever changes something is told by the engine. */
  async #look(definition: RunnerDefinition): Promise<FoundContainers | "unreachable"> {
    const engine = await this.#options.engine();
    try {
      return await this.#containers.find(engine, definition);
    } catch (error) {
      if (isUnreachable(error)) return "unreachable";
      throw error;
    }
  }

  list(): Promise<string[]> {
    return this.#definitions.list();
  }

  /** Without an engine that answers there is nothing to find. */
  async findLost(instance: string): Promise<string[]> {
    if (!(await hasEngineSocket(this.#options.host))) return [];
    const engine = await this.#options.engine();
    return (await attempt(() => this.#containers.listRunners(engine, instance))) ?? [];
  }

  readonly place: RunnerPlace = {
    findForeign: async (definition) => {
      const foreign = await this.#containers.findForeign(await this.#options.engine(), definition);
      return foreign === undefined ? undefined : foreignRunner(foreign);
    },
    clear: async (definition) => {
      const engine = await this.#options.engine();
      const foreign = await this.#containers.findForeign(engine, definition);
      if (foreign !== undefined) await this.#aside.put(engine, definition, foreign);
    },
    isCleared: (definition) => this.#aside.has(definition),
    settle: async (definition) => this.#aside.discard(await this.#options.engine(), definition),
  };

  async retire(lostBy?: string): Promise<void> {
    if ((await this.list()).length > 0) return;
    if (lostBy !== undefined) await this.#removeLost(lostBy);
    await this.#options.host.removeIfEmpty(this.#definitions.folder);
  }

  async lastEnd(definition: RunnerDefinition): Promise<string | undefined> {
    const engine = await this.#options.engine();
    const end = await engine.lastEnd(await this.#idOrName(engine, definition));
    return end === undefined ? undefined : endText(end);
  }

  async readOutput(definition: RunnerDefinition, lines: number): Promise<string> {
    const engine = await this.#options.engine();
    return engine.readOutput(await this.#idOrName(engine, definition), lines);
  }

  async followOutput(definition: RunnerDefinition, lines: number, follower: OutputFollower): Promise<void> {
    const engine = await this.#options.engine();
    await engine.followOutput(await this.#idOrName(engine, definition), lines, follower);
  }

  async #idOrName(engine: ContainerEngine, definition: RunnerDefinition): Promise<string> {
    const { own } = await this.#containers.find(engine, definition);
    return own?.id ?? this.#containers.nameOf(definition);
  }

  /** With the image's variables, so that one that somebody adds shows. */
  async #body(engine: ContainerEngine, { container, ...spec }: RunnerSpec): Promise<ContainerBody> {
    if (container === undefined) throw new Error(`${spec.id} has no container`);
    const { imageId, ...rest } = container;
    const body = containerBody({ ...spec, ...rest });
    const image = await engine.findImage(body.Image);
    // An image that was loaded from an archive has no name with its digest.
    const { environment } = image ?? (await engine.findImage(imageId)) ?? { environment: [] };
    const own = new Set(variablesOf(body));
    const Env = [...body.Env, ...environment.filter((variable) => !own.has(nameOf(variable)))].sort();
    return { ...body, Image: image === undefined ? imageId : body.Image, Env };
  }

  /** Containers of a data directory that was lost. */
  async #removeLost(owner: string): Promise<void> {
    const { host, dataDir } = this.#options;
    if (!(await hasEngineSocket(host))) return;
    const engine = await this.#options.engine();
    await attempt(async () => {
      const lost = await engine.listContainers(identityLabels({ owner, dataDir }));
      for (const { id } of lost) await engine.removeContainer(id);
    });
  }

  /** Whether the runner is known to be a container: by its definition, or by what it was started with. */
  async #isKnown(definition: RunnerDefinition): Promise<boolean> {
    if ((await this.#definitions.has(definition)) || (await this.#aside.has(definition))) return true;
    return (await readRunner(this.#options.host, definition.folder))?.container !== undefined;
  }

  async #removeOwn(engine: ContainerEngine, definition: RunnerDefinition): Promise<void> {
    const { own, foreign } = await this.#containers.find(engine, definition);
    if (own?.state === "running" || own?.state === "restarting")
      await engine.stopContainer(own.id, definition.stopSeconds);
    for (const id of await this.#containers.listOwn(engine, definition)) await engine.removeContainer(id);
    if (foreign !== undefined) throw foreignError(this.#options.host.name, foreign);
  }
}

/** Hosts whose runners are processes need no engine, nor one that works: then there is nothing of theirs in it. */
async function attempt<T>(action: () => Promise<T>): Promise<T | undefined> {
  const what = `the Docker Engine does not answer within ${lookSeconds} s`;
  return withinSeconds(lookSeconds, action, new BerthError("docker-unreachable", { what })).catch(unlessBerthError);
}

function unlessBerthError(error: unknown): undefined {
  if (!(error instanceof BerthError)) throw error;
  return undefined;
}
