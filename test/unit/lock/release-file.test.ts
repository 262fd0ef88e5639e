import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { gzipSync } from "node:zlib";

import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";

import { fetchReleaseFile } from "../../../src/lock/release-file.js";
import { serveFiles, type Answer } from "../../support/file-server.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { rejectionOf } from "../support/thrown.js";

let folder = "";

beforeEach(async () => {
  folder = await temporaryFolder();
  vi.stubEnv("TMPDIR", folder);
});
afterEach(() => {
  expect(readdirSync(folder)).toEqual([]);
  vi.unstubAllEnvs();
});

async function serve(path: string, answer: Answer) {
  const server = await serveFiles({ [path]: answer });
  onTestFinished(() => server.close());
  return server.url(path);
}

describe("a file of a release", () => {
  it.each([
    ["/engine.tar.gz", gzipSync("archive")],
    ["/engine.zip", Buffer.from("PK\u0003\u0004rest")],
    ["/engine.tar.xz", Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 1, 2])],
    ["/engine", Buffer.from("\u007fELF and so on")],
  ])("is told by its SHA-256 and size: %s", async (path, bytes) => {
    expect(await fetchReleaseFile(await serve(path, bytes))).toEqual({
      sha256: createHash("sha256").update(bytes).digest("hex"),
      sizeBytes: bytes.length,
    });
  });

  it.each([
    ["/engine.tar.gz", "<!doctype html><title>Sign in</title>"],
    ["/engine.zip", ""],
    ["/engine.tar.xz", "PK\u0003\u0004"],
  ])("is refused where something else is in its place: %s", async (path, text) => {
    const error = await rejectionOf(fetchReleaseFile(await serve(path, text)));
    expect(error.code).toBe("download-failed");
    expect(error.message).toContain("not the archive that the name says");
  });

  it("is refused where there is none", async () => {
    const url = await serve("/engine.zip", "PK");
    const error = await rejectionOf(fetchReleaseFile(url.replace("engine", "other")));
    expect(error.code).toBe("download-failed");
    expect(error.parts.got).toBe("HTTP status 404");
  });
});
