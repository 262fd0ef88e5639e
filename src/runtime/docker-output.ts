import type { Readable } from "node:stream";

/** Of a container's output so much is kept, whatever its lines are like. */
export const mostOutputBytes = 1_000_000;

const headerBytes = 8;

/**
 * Reads the stream of a container's two outputs, which comes as frames with a header of eight bytes: which output, three
 * zeros, and the length. A container with a terminal has no frames.
 * (https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach)
 *
 * @param take is given what is in the frames, in the order in which it came
 */
export async function forEachFrame(stream: Readable, take: (bytes: Buffer) => void): Promise<void> {
  let rest: Buffer = Buffer.alloc(0);
  let left = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    rest = rest.byteLength === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.byteLength > 0) {
      if (left === 0) {
        if (rest.byteLength < headerBytes && isHeader(rest)) break;
        const framed = isHeader(rest);
        left = framed ? rest.readUInt32BE(4) : rest.byteLength;
        if (framed) rest = rest.subarray(headerBytes);
        continue;
      }
      const part = rest.subarray(0, left);
      take(part);
      left -= part.byteLength;
      rest = rest.subarray(part.byteLength);
    }
  }
}

/** The last part of such a stream as text, up to {@link mostOutputBytes}. */
export async function readFrames(stream: Readable): Promise<string> {
  const kept = new Tail(mostOutputBytes);
  await forEachFrame(stream, (bytes) => kept.write(bytes));
  return kept.text();
}

function isHeader(bytes: Buffer): boolean {
  return (bytes[0] ?? 0) <= 2 && [1, 2, 3].every((at) => (bytes[at] ?? 0) === 0);
}

/** The last bytes of many. */
class Tail {
  #parts: Buffer[] = [];
  #size = 0;

  constructor(private readonly most: number) {}

  write(bytes: Buffer): void {
    this.#parts.push(bytes);
    this.#size += bytes.byteLength;
    if (this.#size < 2 * this.most) return;
    this.#parts = [this.#last()];
    this.#size = this.most;
  }

  text(): string {
    return this.#last().toString("utf8");
  }

  #last(): Buffer {
    const all = Buffer.concat(this.#parts);
    return all.subarray(Math.max(0, all.byteLength - this.most));
  }
}
