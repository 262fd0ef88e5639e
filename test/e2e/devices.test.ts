import { readFileSync } from "node:fs";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { fakeStack, serveModels, type FakeDeployment } from "../support/fake-stack.js";
import { addStranger, writeNvidiaSmi } from "../support/fake-nvidia-smi.js";
import type { FileServer } from "../support/file-server.js";
import { Sandbox } from "../support/sandbox.js";

const gpus = ["GPU-6f3a8d1e-0000", "GPU-0b7c22aa-1111"];
const gib = 2 ** 30;

describe("deployments on a host with two GPUs, as its tool tells", () => {
  let server: FileServer;
  let sandbox: Sandbox;
  let bin: string;
  const stated = (size: number, ...fields: string[]): FakeDeployment => {
    return { fields: [`resources: { vramBytes: ${size * gib} }`, ...fields] };
  };
  const deployments = { chat: stated(30), next: stated(30), big: {} };

  beforeAll(async () => {
    server = await serveModels();
    sandbox = await Sandbox.create();
    bin = writeNvidiaSmi(sandbox.root, gpus);
    const backend = readFileSync(sandbox.path("backends", "fake.yaml"), "utf8");
    const types = "acceleratorTypes: [cuda, cpu]";
    sandbox.write("backends/fake.yaml", backend.replaceAll("package: six,", `package: six, ${types},`));
  });
  afterAll(async () => {
    await sandbox.dispose();
    await server.close();
  });

  const want = (wanted: Record<string, FakeDeployment>) =>
    sandbox.writeStack(fakeStack(server, sandbox.portRange, wanted));
  const up = (args: readonly string[] = []) => sandbox.up(args, withTools());
  const withTools = () => ({ PATH: `${bin}:${sandbox.searchPath}` });

  function devicesOf(name: string): unknown {
    return sandbox.resources("Instance").find(({ inputs }) => inputs.deployment === name)?.inputs.devices;
  }

  /** By deployment what its process sees. */
  function seen(): Record<string, string | undefined> {
    return Object.fromEntries(
      sandbox.runners().map((pid) => {
        const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
        const variables = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
        const found = variables.find((variable) => variable.startsWith("CUDA_VISIBLE_DEVICES="));
        return [words[words.indexOf("--alias") + 1] ?? "", found?.split("=")[1]];
      }),
    );
  }

  it("share a GPU where their memory fits, and one that is not known has the other alone", async () => {
    want(deployments);
    const { exitCode, output } = await up();
    expect(exitCode, output).toBe(0);
    expect(output).toContain("big: its devices are its own alone: how fake makes its memory is not known");
    const explained = await sandbox.berth(["explain", "big", "--stack", "test"], withTools());
    expect(explained.output).toContain("it has its devices alone: how fake makes its memory is not known");
    const devices = seen();
    expect(devices.chat).toBe(devices.next);
    expect([devices.chat, devices.big].sort()).toEqual([...gpus].sort());
    expect(devicesOf("chat")).toEqual([devices.chat]);
  });

  it("change nothing when nothing was changed", async () => {
    const { exitCode, output } = await up(["--expect-no-changes"]);
    expect(exitCode, output).toBe(0);
  });

  it("tell in their status what they use of what was counted", async () => {
    const { output } = await sandbox.berth(["status", "test"], withTools());
    expect(output).toMatch(/chat-0.* 3\.9 GiB of 30\.0 GiB|4000\.0 MiB of 30\.0 GiB/);
  });

  it("are refused when one more has no room, before anything is started, with what there is", async () => {
    want({ ...deployments, more: stated(60) });
    const { exitCode, output } = await up();
    expect(exitCode).not.toBe(0);
    expect(output).toContain("deployment more: replica 0 has no place");
    expect(output).toContain("expected: 1 × 60.0 GiB");
    expect(sandbox.runners()).toHaveLength(3);
    const explained = await sandbox.berth(["explain", "more", "--stack", "test"], withTools());
    expect(explained.output).toContain("it has 1 × 19.6 GiB; needed are 1 × 60.0 GiB");
  });

  it("are not started anew when somebody else has taken the memory: the old runner serves on", async () => {
    const { chat } = seen();
    const before = sandbox.runners().sort();
    addStranger(bin, process.pid, chat ?? "", 40_000);
    want({ ...deployments, chat: stated(30, 'extraParameters: ["--text", "six"]') });
    const { exitCode, output } = await sandbox.up([], withTools());
    expect(exitCode).not.toBe(0);
    expect(output).toMatch(/chat.*(?:free|room|memory)/s);
    expect(sandbox.runners().sort()).toEqual(before);
  });
});
