import { posix } from "node:path";
import type { Readable, Transform } from "node:stream";

import { systemCode } from "../lib/errors.js";
import type { PartFile } from "./part-file.js";
import { fileScripts, parseAvailable, parseStatus } from "./ssh-files.js";
import type { SshShell } from "./ssh-shell.js";

/** A part on a host that has no route to where files come from: this machine fetches them, and sends them by ssh. */
export class PushedPart implements PartFile {
  readonly #shell: SshShell;

  constructor(
    shell: SshShell,
    readonly path: string,
  ) {
    this.#shell = shell;
  }

  async makeFolder(): Promise<void> {
    await this.#shell.files(fileScripts.makeDirectory, [posix.dirname(this.path), "22"], { again: true });
  }

  async size(): Promise<number> {
    try {
      return parseStatus(await this.#read(fileScripts.status))?.size ?? 0;
    } catch (error) {
      if (systemCode(error) === "ENOENT") return 0;
      throw error;
    }
  }

  async freeBytes(): Promise<number> {
    return parseAvailable(await this.#read(fileScripts.free));
  }

  cut(sizeBytes: number): Promise<void> {
    return this.#shell.cutFile(this.path, sizeBytes);
  }

  async append([source, transformation]: readonly [Readable, Transform]): Promise<void> {
    // What came of a source that breaks off is sent all the same: the next try goes on from there.
    // It may fail before the session has begun, to which it is piped then. Its failure is thrown below.
    transformation.on("error", () => undefined);
    const end = () => transformation.end();
    if (source.errored === null) source.on("error", end);
    else end();
    try {
      await this.#shell.files(fileScripts.append, [this.path], { stream: source.pipe(transformation) });
    } finally {
      source.destroy();
    }
    const failure = transformation.errored ?? source.errored;
    if (failure !== null) throw failure;
  }

  async #read(script: string): Promise<string> {
    return (await this.#shell.files(script, [this.path], { again: true })).stdout.toString("utf8");
  }
}
