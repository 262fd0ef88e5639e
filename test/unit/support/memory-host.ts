import { posix } from "node:path";

import type { FileStatus } from "../../../src/host/host.js";
import { LocalHost } from "../../../src/host/local.js";

/** A host whose files are in memory. `turn` is awaited before each access, so that tests can choose who comes next. */
export class MemoryHost extends LocalHost {
  readonly files = new Map<string, string>();
  readonly #turn: () => Promise<unknown>;

  constructor(turn: () => Promise<unknown> = () => Promise.resolve()) {
    super("memory", { PATH: "/nowhere", HOME: "/" });
    this.#turn = turn;
  }

  override async readText(path: string): Promise<string | undefined> {
    await this.#turn();
    return this.files.get(path);
  }

  override async writeFile(path: string, content: string | Uint8Array): Promise<void> {
    await this.#turn();
    this.files.set(path, typeof content === "string" ? content : Buffer.from(content).toString("utf8"));
  }

  override async createFile(path: string, content: string): Promise<boolean> {
    await this.#turn();
    if (this.files.has(path)) return false;
    this.files.set(path, content);
    return true;
  }

  override async makeDirectory(): Promise<void> {
    await this.#turn();
  }

  override async remove(path: string): Promise<void> {
    await this.#turn();
    for (const file of this.files.keys()) if (file === path || file.startsWith(`${path}/`)) this.files.delete(file);
  }

  override async removeIfEmpty(): Promise<void> {
    await this.#turn();
  }

  override async list(path: string): Promise<string[]> {
    await this.#turn();
    const below = [...this.files.keys()].filter((file) => file.startsWith(`${path}/`));
    return [...new Set(below.map((file) => posix.relative(path, file).split("/")[0] ?? ""))].sort();
  }

  override async status(path: string): Promise<FileStatus | undefined> {
    await this.#turn();
    const text = this.files.get(path);
    if (text !== undefined) return { kind: "file", size: text.length, mode: 0o644, changedAt: "0" };
    const isFolder = [...this.files.keys()].some((file) => file.startsWith(`${path}/`));
    return isFolder ? { kind: "directory", size: 0, mode: 0o755, changedAt: "0" } : undefined;
  }
}
