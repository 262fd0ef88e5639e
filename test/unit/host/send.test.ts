import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable, Transform } from "node:stream";

import { describe, expect, it } from "vitest";

import { LocalPart, type PartFile } from "../../../src/host/part-file.js";
import { sendFile } from "../../../src/host/send.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { rejectionOf } from "../support/thrown.js";

const content = Buffer.alloc(1_000_000, "0123456789abcdefg");
const pace = { retries: 2, firstWaitSeconds: 0.001 };

/** A part in memory, whose connection breaks off after so many bytes of each append, as often as there are numbers. */
class FakePart implements PartFile {
  readonly path = "/srv/part";
  readonly cuts: number[] = [];
  content = Buffer.alloc(0);
  free = 10_000_000;

  constructor(
    private readonly breaks: number[] = [],
    private readonly error = new Error("the connection was lost"),
  ) {}

  makeFolder = () => Promise.resolve();
  size = () => Promise.resolve(this.content.length);
  freeBytes = () => Promise.resolve(this.free);

  cut(sizeBytes: number): Promise<void> {
    this.cuts.push(sizeBytes);
    this.content = this.content.subarray(0, sizeBytes);
    return Promise.resolve();
  }

  async append([source, transformation]: readonly [Readable, Transform]): Promise<void> {
    const most = this.breaks.shift();
    let taken = 0;
    for await (const chunk of source.pipe(transformation) as AsyncIterable<Buffer>) {
      const rest = most === undefined ? chunk : chunk.subarray(0, Math.max(0, most - taken));
      this.content = Buffer.concat([this.content, rest]);
      taken += rest.length;
      if (most !== undefined && taken >= most) throw this.error;
    }
  }
}

async function send(part: PartFile, onProgress?: (current: number) => void): Promise<void> {
  const path = join(await temporaryFolder(), "file");
  await writeFile(path, content);
  await sendFile(path, part, { sizeBytes: content.length, where: "host one", onProgress, pace });
}

describe("a file that is sent to a host", () => {
  it("is there, as it is here", async () => {
    const path = join(await temporaryFolder(), "folder", "part");
    const progress: number[] = [];
    await send(new LocalPart(path), (current) => progress.push(current));
    expect(progress.at(-1)).toBe(content.length);
    expect((await readFile(path)).equals(content)).toBe(true);
  });

  it("goes on where the connection broke off, and with what an earlier run has left", async () => {
    const part = new FakePart([300_000, 200_000]);
    part.content = content.subarray(0, 100_000);
    await send(part);
    expect(part.content.equals(content)).toBe(true);
    expect(part.cuts).toEqual([]);
  });

  it("that is there is not sent, and one that is larger begins anew", async () => {
    const part = new FakePart();
    part.content = content;
    await send(part);
    part.content = Buffer.concat([content, Buffer.from("more")]);
    await send(part);
    expect(part.cuts).toEqual([0]);
    expect(part.content.equals(content)).toBe(true);
  });

  it("is given up when the connection breaks off again and again, with what to do", async () => {
    const error = await rejectionOf(send(new FakePart([1, 1, 1, 1])));
    expect(error).toMatchObject({ code: "download-failed", parts: { got: "the connection was lost" } });
    expect(String(error)).toContain("host one: /srv/part");
  });

  it("that has no room is not begun, and one for which it ends leaves what was there before", async () => {
    const small = new FakePart();
    small.free = 999_999;
    const error = await rejectionOf(send(small));
    expect(error).toMatchObject({
      code: "disk-full",
      parts: { got: "1.0 MB free", expected: "1.0 MB for what is missing" },
    });
    expect(small.content).toHaveLength(0);
    const full = new FakePart([500_000], Object.assign(new Error("no space"), { code: "ENOSPC" }));
    full.content = content.subarray(0, 1000);
    expect(await rejectionOf(send(full))).toMatchObject({ code: "disk-full" });
    expect(full.content).toHaveLength(1000);
  });
});
