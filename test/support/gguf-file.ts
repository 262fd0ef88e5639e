import { closeSync, openSync, readSync } from "node:fs";

import type { ReadBytes } from "../../src/model/gguf-window.js";
import { readGgufHeader, type GgufHeader } from "../../src/model/gguf-header.js";

/** Header of a file that is here. */
export async function readHeaderOf(path: string): Promise<GgufHeader> {
  const file = openSync(path, "r");
  try {
    const read: ReadBytes = (offset, bytes) => {
      const buffer = Buffer.alloc(bytes);
      return Promise.resolve(buffer.subarray(0, readSync(file, buffer, 0, buffer.length, offset)));
    };
    return await readGgufHeader(read, path);
  } finally {
    closeSync(file);
  }
}

/** Header of what is in memory. */
export function readHeader(content: Uint8Array): Promise<GgufHeader> {
  return readGgufHeader((offset, bytes) => Promise.resolve(content.subarray(offset, offset + bytes)), "test.gguf");
}
