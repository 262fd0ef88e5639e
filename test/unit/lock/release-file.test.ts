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
  const archive = { isArchive: true, maxBytes: 1000 };
  const executable = { isArchive: false, maxBytes: 1000 };
  const page = "<!doctype html><title>Sign in</title>";

  it.each([
    ["/engine.tar.gz", archive, gzipSync("archive")],
    ["/download?file=engine", archive, gzipSync("archive")],
    ["/engine.zip", archive, Buffer.from("PK\u0003\u0004rest")],
    ["/engine.tar.xz", archive, Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 1, 2])],
    ["/engine", executable, Buffer.from("\u007fELF and so on")],
    ["/engine.sh", executable, Buffer.from("#!/bin/sh\ncat <<E\n<!doctype html>\nE\n")],
  ])("is told by its SHA-256 and size: %s", async (path, kind, bytes) => {
    expect(await fetchReleaseFile({ url: await serve(path, bytes), ...kind })).toEqual({
      sha256: createHash("sha256").update(bytes).digest("hex"),
      sizeBytes: bytes.length,
    });
  });

  it.each([
    ["/engine.tar.gz", page],
    ["/download?file=engine.tar.gz", page],
    ["/engine.tar.gz/download", page],
    ["/ENGINE.TGZ", page],
    ["/engine.tar.bz2", "BZh91AY"],
    ["/engine.zip", ""],
    ["/engine", "\u007fELF and so on"],
  ])("is refused where an executable is to be in it and it is no archive: %s", async (path, text) => {
    const error = await rejectionOf(fetchReleaseFile({ url: await serve(path, text), ...archive }));
    expect(error.code).toBe("download-failed");
    expect(error.message).toContain("is no archive");
  });

  it.each([
    ["an HTML page", page],
    ["an HTML page", "\uFEFF\n<HTML lang=en>"],
    ["an HTML page", '<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN">'],
    ["an empty file", ""],
  ])("is refused where it is to be the executable and is %s: %j", async (got, text) => {
    const error = await rejectionOf(fetchReleaseFile({ url: await serve("/llama-server", text), ...executable }));
    expect([error.code, error.parts.got]).toEqual(["download-failed", got]);
  });

  it("is not read without end, nor twice", async () => {
    let requests = 0;
    const url = await serve("/engine", (_, response) => {
      requests += 1;
      response.writeHead(200);
      const send = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536, "x")));
      };
      response.on("drain", send);
      send();
    });
    const error = await rejectionOf(fetchReleaseFile({ url, isArchive: false, maxBytes: 100_000 }));
    expect([error.code, error.parts.expected, requests]).toEqual(["download-failed", "at most 100000 bytes", 1]);
  });

  it("is refused where there is none", async () => {
    const url = await serve("/engine.zip", "PK");
    const error = await rejectionOf(fetchReleaseFile({ url: url.replace("engine", "other"), ...archive }));
    expect(error.code).toBe("download-failed");
    expect(error.parts.got).toBe("HTTP status 404");
  });
});
