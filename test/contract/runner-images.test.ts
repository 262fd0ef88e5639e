import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { OutdatedRow } from "../../src/cli/runner-outdated.js";
import { writeNvidiaSmi } from "../support/fake-nvidia-smi.js";
import { ImageRegistry } from "../support/image-registry.js";
import { whyNoDocker } from "../support/shell-image.js";
import { repository } from "../support/toolchain.js";

const missing = await whyNoDocker();
const isLeftOut = missing !== undefined && process.env.BERTH_TEST_ALL !== "1";

describe.skipIf(isLeftOut)(`runner images of a registry${isLeftOut ? ` (left out: ${missing})` : ""}`, () => {
  let registry: ImageRegistry;
  let root: string;
  let environment: Record<string, string>;

  const write = async (file: string, text: string) => {
    await mkdir(dirname(join(root, file)), { recursive: true });
    await writeFile(join(root, file), text);
  };

  /** What the project says of images for CUDA, by the version of the service. */
  const catalogue = (images: readonly string[]) => `schemaVersion: 1
acceleratorType: cuda
name: NVIDIA CUDA
vendor: nvidia
device: NVIDIA GPU
repository: ${registry.host}/team/runner
hostRuntime: { comparable: true, source: Its driver }
services: { engine: Engine }
versions:
  - version: "12.0"
    computeCapabilities: ["9.0"]
    images:
      engine:
${images.map((image) => `        - { version: ${image}, platforms: [linux/amd64, linux/arm64] }\n`).join("")}`;

  beforeAll(async () => {
    registry = await ImageRegistry.start({ login: false });
    root = await realpath(await mkdtemp(join(tmpdir(), "berth-runners-")));
    const bin = writeNvidiaSmi(root, ["GPU-1"]);
    environment = { PATH: `${bin}:${process.env.PATH ?? ""}`, HOME: root };
    await write("Pulumi.yaml", "name: runners\nruntime: nodejs\n");
    await write("backends/runners/cuda.yaml", catalogue([`"1.0"`]));
    const version = (name: string) => `  "${name}": { install: { runnerImage: { service: engine } } }\n`;
    await write(
      "backends/boxed.yaml",
      `schemaVersion: 1\nname: boxed\nrunCommand: serve\nversions:\n${version("1.0")}${version("2.0")}`,
    );
    const hosts = "hosts: { box: { connection: local, dataDir: host } }";
    const preload = `preload: { next: { backend: boxed, backendVersion: "1.x" } }`;
    await write("stacks/dev.yaml", `schemaVersion: 1\n${hosts}\n${preload}\n`);
    await registry.push("team/runner", "cuda12.0-engine1.0");
  });
  afterAll(async () => {
    await registry.close();
    await rm(root, { recursive: true, force: true });
  });

  async function berth(...words: readonly string[]) {
    const command = [join(repository, "tools", "berth.mjs"), ...words];
    const options = { cwd: root, env: environment, extendEnv: false, reject: false } as const;
    const { exitCode, stdout, stderr } = await execa(process.execPath, command, options);
    return { exitCode, stdout, stderr };
  }

  async function outdated(...options: readonly string[]) {
    const { exitCode, stdout, stderr } = await berth("runner", "outdated", "--format", "json", ...options);
    return { exitCode, stderr, rows: JSON.parse(stdout) as OutdatedRow[] };
  }

  const lockText = () => readFile(join(root, "stacks", "dev.lock.yaml"), "utf8");
  const config = (text: string) => JSON.stringify({ architecture: "amd64", os: "linux", rootfs: {}, text });
  const move = (text: string) =>
    registry.push("team/runner", "cuda12.0-engine1.0", { config: config(text), layers: [] });

  it("are locked for the host that is there, with the reason, and are not outdated then", async () => {
    const { exitCode, stdout, stderr } = await berth("lock", "dev");
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toContain("preload next: boxed 1.0: ");
    expect(stdout).toContain("runner image cuda12.0-engine1.0 (the newest runtime that can run; ");
    expect(await lockText()).toContain(`reference: ${registry.host}/team/runner:cuda12.0-engine1.0`);
    expect(await outdated()).toMatchObject({
      exitCode: 0,
      rows: [{ stack: "dev", usedBy: ["preload next"], findings: [] }],
    });
  });

  it("are outdated once their tag has moved, which the lock does not do before it is asked to", async () => {
    const before = await lockText();
    const digest = await move("later");
    expect(await outdated("--stack", "dev")).toMatchObject({
      exitCode: 2,
      rows: [{ findings: [{ kind: "moved", by: "registry", digest }], upgrade: ["`berth lock dev --upgrade`"] }],
    });
    expect((await berth("lock", "dev")).exitCode).toBe(0);
    expect(await lockText()).toBe(before);
    expect((await berth("lock", "dev", "--upgrade")).exitCode).toBe(0);
    expect(await lockText()).toContain(digest);
    expect((await outdated()).exitCode).toBe(0);
  });

  it("are locked by the catalogue's digest without asking, and tell that the tag has another one", async () => {
    const known = `sha256:${"d".repeat(64)}`;
    await write("backends/runners/cuda.yaml", catalogue([`"1.0", digest: "${known}"`]));
    expect((await berth("lock", "dev", "--upgrade", "--offline")).stderr).toBe("");
    expect(await lockText()).toContain(known);
    const { exitCode, rows } = await outdated();
    expect(exitCode).toBe(2);
    expect(rows.map(({ stack = "catalogue", findings }) => [stack, findings.map(({ kind }) => kind)])).toEqual([
      ["dev", ["moved"]],
      ["catalogue", ["moved"]],
    ]);
  });

  it("are outdated without a registry by what the catalogue says, with what to do", async () => {
    await write("backends/runners/cuda.yaml", catalogue([`"2.0"`, `"1.0", deprecated: true`]));
    const { exitCode, stdout, stderr } = await berth("runner", "outdated", "--offline");
    expect([exitCode, stderr]).toEqual([2, "no registry was asked (--offline), so tags may have moved"]);
    expect(stdout).toContain("it is deprecated");
    expect(stdout).toContain(`preload next could have ${registry.host}/team/runner:cuda12.0-engine2.0`);
    expect(stdout).toContain('set `backendVersion: "2.0"` of preload next');
  });

  it("are not called up to date when their registry does not answer", async () => {
    await write("backends/runners/cuda.yaml", catalogue([`"1.0"`]));
    await registry.close();
    const { exitCode, rows } = await outdated();
    expect([exitCode, rows[0]?.untold]).toEqual([1, expect.any(String)]);
  });
});
