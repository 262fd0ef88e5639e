import { appendFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { sha256 } from "../../../src/lib/canonical.js";
import { FileDigest } from "../../../src/host/file-digest.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const environment = { PATH: process.env.PATH ?? "" };
const piece = "0123456789abcdef".repeat(1 << 20);

describe("the digest of a file that grows", () => {
  it("is that of the whole file, however it grew", async () => {
    const path = join(await temporaryFolder(), "file");
    await writeFile(path, piece);
    const digest = new FileDigest(path, environment);
    digest.grown(piece.length);
    await appendFile(path, "the end");
    expect(await digest.end()).toBe(sha256(`${piece}the end`));
  });

  it("is not worth a process for a small file", async () => {
    const path = join(await temporaryFolder(), "file");
    await writeFile(path, "small");
    const digest = new FileDigest(path, environment);
    digest.grown(5);
    expect(await digest.end()).toBeUndefined();
  });

  it("is not waited for when the signal aborts, nor begun when it did before", async () => {
    const path = join(await temporaryFolder(), "file");
    await writeFile(path, piece);
    // Nobody hashes so much meanwhile; on the disk it takes no room.
    await truncate(path, 2 ** 38);
    const digest = new FileDigest(path, environment);
    digest.grown(piece.length);
    const enough = new Error("enough");
    const controller = new AbortController();
    const ended = digest.end(controller.signal);
    setTimeout(() => controller.abort(enough), 200);
    await expect(ended).rejects.toBe(enough);
    const late = new FileDigest(path, environment);
    late.grown(piece.length);
    await expect(late.end(AbortSignal.abort(enough))).rejects.toBe(enough);
    late.stop();
  });
});
