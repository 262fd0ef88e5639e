import { posix } from "node:path";

import { z } from "zod";

import type { Host } from "../host/host.js";
import { BerthError } from "../lib/errors.js";
import type { ContainerEngine, ContainerStatus } from "./container-engine.js";
import type { RunnerDefinition } from "./supervisor.js";

const asideRecord = z.strictObject({
  schemaVersion: z.literal(1),
  /** The engine's id. */
  container: z.string(),
  /** What it was called, and whether it ran. */
  name: z.string(),
  running: z.boolean(),
});

type AsideRecord = z.output<typeof asideRecord>;
type Named = Pick<RunnerDefinition, "id">;

/**
 * Somebody else's container in whose place a runner's is made: stopped and renamed, until the runner's is verified. A
 * file beside the definition says so first, so that whatever interrupts it, it is brought back or removed.
 */
export class DockerAside {
  readonly #host: Host;
  readonly #folder: string;

  constructor(host: Host, folder: string) {
    this.#host = host;
    this.#folder = folder;
  }

  /** Whether something is put aside for the runner. */
  async has(runner: Named): Promise<boolean> {
    return (await this.#read(runner)) !== undefined;
  }

  async put(engine: ContainerEngine, runner: RunnerDefinition, { id, name, state }: ContainerStatus): Promise<void> {
    const before = await this.#read(runner);
    // One that an interrupted run has stopped already ran all the same.
    const running = before?.container === id ? before.running : state === "running" || state === "restarting";
    const record: AsideRecord = { schemaVersion: 1, container: id, name, running };
    await this.#host.makeDirectory(this.#folder, 0o700);
    await this.#host.writeFile(this.#path(runner), `${JSON.stringify(record)}\n`, 0o600);
    if (state === "running" || state === "restarting" || state === "paused")
      await engine.stopContainer(id, runner.stopSeconds);
    await engine.renameContainer(id, `${name}.aside-${id.slice(0, 8)}`);
  }

  /** Gives it its name back, and starts it when it ran. Nothing there is fine. */
  async bringBack(engine: ContainerEngine, runner: Named): Promise<void> {
    const record = await this.#read(runner);
    if (record === undefined) return;
    const { container, name, running } = record;
    if ((await engine.inspectContainer(container)) !== undefined) {
      await engine.renameContainer(container, name);
      if (running) await engine.startContainer(container).catch(unlessTaken);
    }
    await this.#host.remove(this.#path(runner));
  }

  /** Removes it: the runner's has its place for good. */
  async discard(engine: ContainerEngine, runner: Named): Promise<void> {
    const record = await this.#read(runner);
    if (record === undefined) return;
    await engine.removeContainer(record.container);
    await this.#host.remove(this.#path(runner));
  }

  async forget(runner: Named): Promise<void> {
    await this.#host.remove(this.#path(runner));
  }

  async #read(runner: Named): Promise<AsideRecord | undefined> {
    const text = await this.#host.readText(this.#path(runner));
    if (text === undefined) return undefined;
    try {
      return asideRecord.parse(JSON.parse(text));
    } catch {
      // Changed by hand: nobody knows any more what it was about, and what it was about stays.
      return undefined;
    }
  }

  #path({ id }: Named): string {
    return posix.join(this.#folder, `${id}.aside`);
  }
}

/** Something else has its port or its devices by now: it is there, and whoever it belongs to can start it. */
function unlessTaken(error: unknown): void {
  if (!(error instanceof BerthError) || (error.code !== "port-in-use" && error.code !== "host-unsuitable")) throw error;
}
