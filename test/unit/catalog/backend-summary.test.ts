import { describe, expect, it } from "vitest";
import type { z } from "zod";

import { isUnpinned, summarizeVersion } from "../../../src/catalog/backend-summary.js";
import { backendFile } from "../../../src/schema/backend.js";

type Install = z.input<typeof backendFile>["versions"][string]["install"];

const backendOf = (install: Install, changes: Partial<z.input<typeof backendFile>> = {}) =>
  backendFile.parse({ schemaVersion: 1, name: "engine", versions: { v1: { install } }, ...changes });

function summaryOf(install: Install, changes: Partial<z.input<typeof backendFile>> = {}) {
  const backend = backendOf(install, changes);
  const entry = backend.versions.v1;
  if (entry === undefined) throw new Error("the backend has no version v1");
  return summarizeVersion(backend, "v1", entry, () => false);
}

const sha256 = "0".repeat(64);
const binary = { os: "linux" as const, arch: "arm64" as const, url: "https://example.net/engine.tar.gz", sha256 };
const image = { reference: "team/engine:1", digest: `sha256:${sha256}` };

describe("isUnpinned", () => {
  it.each<[string, Install, boolean]>([
    ["a binary with its sha256", { binary: [binary] }, false],
    ["a binary of which one platform has none", { binary: [binary, { ...binary, sha256: undefined }] }, true],
    ["pipx with requirements", { pipx: { package: "engine", requirements: "engine/1.txt" } }, false],
    ["pipx without", { pipx: { package: "engine" } }, true],
    ["an image with a digest", { image }, false],
    ["an image without", { image: { reference: "team/engine:1" } }, true],
    ["an administrator's executable, which nobody can pin", { manual: {} }, false],
    ["one way of two that is not pinned", { image, pipx: { package: "engine" } }, true],
    ["nothing at all", {}, false],
  ])("%s: %j is %s", (_, install, expected) => {
    const [entry] = Object.values(backendOf(install).versions);
    expect(entry === undefined ? undefined : isUnpinned(entry)).toBe(expected);
  });
});

describe("summarizeVersion", () => {
  it("tells each way of installing by platform and accelerator, with what pins it", () => {
    const { installs } = summaryOf({
      binary: [{ ...binary, acceleratorTypes: ["cuda", "cpu"] }],
      pipx: { package: "engine-py", os: ["linux"], acceleratorTypes: ["rocm"] },
      image: { ...image, platforms: ["linux/amd64", "linux/arm64"] },
      manual: { sha256 },
    });
    expect(installs).toEqual([
      {
        method: "binary",
        os: ["linux"],
        arch: ["arm64"],
        acceleratorTypes: ["cuda", "cpu"],
        artifact: "https://example.net/engine.tar.gz",
        pin: sha256,
      },
      {
        method: "pipx",
        os: ["linux"],
        arch: ["x64", "arm64"],
        acceleratorTypes: ["rocm"],
        artifact: "engine-py==1",
        pin: undefined,
      },
      {
        method: "image",
        os: ["linux"],
        arch: ["x64", "arm64"],
        acceleratorTypes: undefined,
        artifact: "team/engine:1",
        pin: `sha256:${sha256}`,
      },
      { method: "manual", os: [], arch: [], acceleratorTypes: undefined, artifact: "engine_v1", pin: sha256 },
    ]);
  });

  it("shows what an example would run, as a process and in a container with a network of its own", () => {
    const { commands, env } = summaryOf(
      { manual: {}, image },
      {
        runCommand: "serve {{model_path}} --host {{worker_ip}} --port {{port}} --level {{LEVEL}}",
        env: { LEVEL: "info" },
        contextLengthFlag: "--ctx",
        defaultParameters: ["--fast"],
      },
    );
    const words = (host: string) => ["serve", "/models/example", "--host", host, "--port", "8000", "--level", "info"];
    const more = ["--ctx", "8192", "--fast"];
    expect(env).toEqual({ LEVEL: "info" });
    expect(commands).toEqual([
      { form: "process", command: { entrypoint: undefined, argv: ["engine_v1", ...words("127.0.0.1"), ...more], env } },
      { form: "container", command: { entrypoint: undefined, argv: [...words("0.0.0.0"), ...more], env } },
    ]);
  });

  it("says why it would run nothing", () => {
    const { commands } = summaryOf({ manual: {} }, { runCommand: "serve {{WHAT}}" });
    expect(commands).toEqual([{ form: "process", problem: "the command names an unknown placeholder {{WHAT}}" }]);
  });
});
