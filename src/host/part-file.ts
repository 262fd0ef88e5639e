import { createWriteStream } from "node:fs";
import { mkdir, rm, stat, statfs, truncate } from "node:fs/promises";
import { dirname } from "node:path";
import type { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";

import { systemCode } from "../lib/errors.js";

/** The file that a download grows in, wherever it is. Methods throw system errors with their code. */
export interface PartFile {
  readonly path: string;
  /** Makes the folder that it belongs in. */
  makeFolder(): Promise<void>;
  /** Bytes that are there; 0 when there is no file. */
  size(): Promise<number>;
  /** Free bytes of its file system. */
  freeBytes(): Promise<number>;
  /** Leaves so many bytes of it; with none the file goes. */
  cut(sizeBytes: number): Promise<void>;
  /** Adds what a source gives, by way of a transformation. Throws what either of them fails with; what came stays. */
  append(source: readonly [Readable, Transform]): Promise<void>;
}

/** A part on this machine. */
export class LocalPart implements PartFile {
  constructor(readonly path: string) {}

  async makeFolder(): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true });
  }

  async size(): Promise<number> {
    try {
      return (await stat(this.path)).size;
    } catch (error) {
      if (systemCode(error) === "ENOENT") return 0;
      throw error;
    }
  }

  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(dirname(this.path));
    return bavail * bsize;
  }

  async cut(sizeBytes: number): Promise<void> {
    if (sizeBytes === 0) await rm(this.path, { force: true });
    else await truncate(this.path, sizeBytes);
  }

  async append([source, transformation]: readonly [Readable, Transform]): Promise<void> {
    await pipeline(source, transformation, createWriteStream(this.path, { flags: "a" }));
  }
}
