import { posix } from "node:path";

import { z } from "zod";

import type { Host } from "../host/host.js";
import { dataPaths } from "../host/paths.js";
import { sha256 } from "../lib/canonical.js";
import { withinSeconds } from "../lib/deadline.js";
import { BerthError } from "../lib/errors.js";
import { containerBody, identityLabels, type ContainerBody } from "./container-body.js";
import { differences } from "./container-difference.js";
import type { ContainerEngine, ContainerStatus } from "./container-engine.js";
import { usualSocket } from "./docker-engine.js";
import { writeRunnerFiles } from "./runner-files.js";
import type {
  OutputFollower,
  RunnerDefinition,
  RunnerObservation,
  RunnerSpec,
  RunnerState,
  Supervisor,
} from "./supervisor.js";

export interface DockerOptions {
  readonly host: Host;
  readonly dataDir: string;
  readonly engine: () => Promise<ContainerEngine>;
}

/** How long an engine may take to tell whether it has something of a data directory that was lost. */
const lookSeconds = 10;

/**
 * Containers of the host's Docker Engine, which brings them back itself. How one was made is written down in the data
 * directory, so that a change by hand shows. Names carry a digest of the data directory, as one engine may serve
 * several of them.
 */
export class Docker implements Supervisor {
  readonly #options: DockerOptions;
  readonly #folder: string;
  readonly #suffix: string;

  constructor(options: DockerOptions) {
    this.#options = options;
    this.#folder = dataPaths(options.dataDir).containers;
    this.#suffix = sha256(options.dataDir).slice(0, 8);
  }

  async prepare(): Promise<void> {
    const engine = await this.#options.engine();
    await engine.version();
  }

  async start(spec: RunnerSpec): Promise<void> {
    const { host } = this.#options;
    const engine = await this.#options.engine();
    const body = await this.#body(engine, spec);
    const name = this.#name(spec);
    await writeRunnerFiles(host, spec);
    await host.makeDirectory(this.#folder, 0o700);
    await host.writeFile(this.#definitionFile(spec), `${JSON.stringify(body)}\n`, 0o600);
    const cache = spec.container?.settings.cache?.source;
    if (cache !== undefined) await host.makeDirectory(cache);
    const present = await engine.inspectContainer(name);
    const asWanted = present !== undefined && this.#isOwn(present) && differences(body, present.body).length === 0;
    // A container that served once and was stopped is started as it is: nothing is as sure to work.
    if (present !== undefined && !(asWanted && present.state === "exited")) await this.#removeOwn(engine, spec);
    if (!asWanted || present.state !== "exited") await engine.createContainer(name, body);
    await engine.startContainer(name);
  }

  async stop(definition: RunnerDefinition): Promise<void> {
    const engine = await this.#options.engine();
    const name = this.#name(definition);
    if ((await engine.inspectContainer(name)) === undefined) return;
    await engine.stopContainer(name, definition.stopSeconds);
  }

  async remove(definition: RunnerDefinition): Promise<void> {
    const { host } = this.#options;
    // Where this runtime was never used there is nothing to remove, and perhaps no engine.
    if ((await host.status(this.#definitionFile(definition))) === undefined) return;
    const engine = await this.#options.engine();
    await this.#removeOwn(engine, definition);
    await host.remove(this.#definitionFile(definition));
  }

  async observe(definition: RunnerDefinition): Promise<RunnerObservation> {
    const written = await this.#readDefinition(definition);
    if (written === undefined) return { state: { kind: "absent" }, restarts: 0, asDefined: false };
    const seen = await this.#inspect(definition);
    if (seen === "unreachable") return { state: { kind: "unsupervised" }, restarts: 0, asDefined: true };
    if (seen === undefined) return { state: { kind: "absent" }, restarts: 0, asDefined: false };
    const changes = this.#isOwn(seen) ? changesOf(written, seen.body) : ["labels"];
    return { state: stateOf(seen), restarts: seen.restarts, asDefined: changes.length === 0, changes };
  }

  /** Looking never fails for an engine that is down; whoever changes something is told by the engine. */
  async #inspect(definition: RunnerDefinition): Promise<ContainerStatus | "unreachable" | undefined> {
    const engine = await this.#options.engine();
    try {
      return await engine.inspectContainer(this.#name(definition));
    } catch (error) {
      if (error instanceof BerthError && error.code === "docker-unreachable") return "unreachable";
      throw error;
    }
  }

  async list(): Promise<string[]> {
    const names = await this.#options.host.list(this.#folder);
    return names.filter((name) => name.endsWith(".json")).map((name) => name.slice(0, -".json".length));
  }

  async retire(lostBy?: string): Promise<void> {
    if ((await this.list()).length > 0) return;
    if (lostBy !== undefined) await this.#removeLost(lostBy);
    await this.#options.host.removeIfEmpty(this.#folder);
  }

  async readOutput(definition: RunnerDefinition, lines: number): Promise<string> {
    const engine = await this.#options.engine();
    return engine.readOutput(this.#name(definition), lines);
  }

  async followOutput(definition: RunnerDefinition, lines: number, follower: OutputFollower): Promise<void> {
    const engine = await this.#options.engine();
    await engine.followOutput(this.#name(definition), lines, follower);
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

  async #readDefinition(definition: RunnerDefinition): Promise<ContainerBody | undefined> {
    const text = await this.#options.host.readText(this.#definitionFile(definition));
    if (text === undefined) return undefined;
    try {
      // Whatever it says now is compared with what the engine tells, and never run.
      return writtenBody.parse(JSON.parse(text)) as unknown as ContainerBody;
    } catch {
      return undefined;
    }
  }

  /** Containers of a data directory that was lost. Without an engine that answers there is nothing to find. */
  async #removeLost(owner: string): Promise<void> {
    const { host, dataDir } = this.#options;
    if ((await host.status(usualSocket)) === undefined) return;
    const engine = await this.#options.engine();
    try {
      const lost = await withinSeconds(lookSeconds, () => engine.listContainers(identityLabels({ owner, dataDir })));
      for (const { id } of lost) await engine.removeContainer(id);
    } catch (error) {
      // Hosts whose runners are processes need no engine, nor one that works.
      if (!(error instanceof BerthError)) throw error;
    }
  }

  async #removeOwn(engine: ContainerEngine, definition: RunnerDefinition): Promise<void> {
    const name = this.#name(definition);
    const present = await engine.inspectContainer(name);
    if (present === undefined) return;
    if (!this.#isOwn(present)) throw this.#foreign(name, present);
    if (present.state === "running" || present.state === "restarting")
      await engine.stopContainer(name, definition.stopSeconds);
    await engine.removeContainer(name);
  }

  #isOwn({ body }: ContainerStatus): boolean {
    const { dataDir } = this.#options;
    return Object.entries(identityLabels({ dataDir })).every(([name, value]) => body.Labels[name] === value);
  }

  #foreign(name: string, { id }: ContainerStatus): BerthError {
    return new BerthError("host-foreign", {
      where: `host ${this.#options.host.name}: ${name}`,
      what: "another container has the name of the runner's, and is not Berth's",
      got: `container ${id.slice(0, 12)}`,
      hint: `remove it (docker rm --force ${name}) or rename it, and run \`pulumi up\` again`,
    });
  }

  #name({ id }: Pick<RunnerDefinition, "id">): string {
    return `${id}.${this.#suffix}`;
  }

  #definitionFile({ id }: Pick<RunnerDefinition, "id">): string {
    return posix.join(this.#folder, `${id}.json`);
  }
}

/** As much of a body as comparing it takes for granted. */
const writtenBody = z.looseObject({
  Image: z.string(),
  Env: z.array(z.string()),
  Labels: z.record(z.string(), z.string()),
  HostConfig: z.looseObject({}),
});

function changesOf(written: ContainerBody, seen: ContainerBody): string[] {
  const known = new Set(variablesOf(written));
  const added = variablesOf(seen).some((name) => !known.has(name));
  return [...new Set([...differences(written, seen), ...(added ? ["environment"] : [])])];
}

function variablesOf({ Env }: Pick<ContainerBody, "Env">): string[] {
  return (Env as ContainerBody["Env"] | null | undefined)?.map(nameOf) ?? [];
}

function nameOf(variable: string): string {
  return variable.replace(/=.*$/s, "");
}

function stateOf({ state, pid, exitCode, outOfMemory, error }: ContainerStatus): RunnerState {
  if (state === "running") return { kind: "running", pid };
  if (state === "paused") return { kind: "paused" };
  const memory = outOfMemory ? ", out of memory" : "";
  const said = error === "" ? "" : `: ${error}`;
  const reason = `${state}, exit code ${exitCode}${memory}${said}`;
  return { kind: state === "restarting" ? "restarting" : "stopped", reason };
}
