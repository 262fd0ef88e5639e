import { describe, expect, it } from "vitest";

import { claimsOf, listClaims, reserveClaims } from "../../../src/host/claims.js";
import { writeEntry } from "../../../src/host/journal.js";
import type { HttpAnswer, HttpRequest, RunResult } from "../../../src/host/host.js";
import { BerthError } from "../../../src/lib/errors.js";
import type { LogEvent } from "../../../src/lib/log.js";
import { instanceKind } from "../../../src/resources/instance.js";
import type { InstanceInputs } from "../../../src/resources/instance-inputs.js";
import { partDefinition, subordinateFolder, type Part } from "../../../src/resources/subordinate-part.js";
import { execFile, execPath } from "../../../src/runtime/runner-files.js";
import type { RunnerDefinition, RunnerObservation, RunnerSpec } from "../../../src/runtime/supervisor.js";
import type { Accelerator } from "../../../src/schema/facts.js";
import type { PlacedMemory } from "../../../src/schema/placement.js";
import { nvidiaSmiXml, type SyntheticGpu } from "../../support/nvidia-smi.js";
import { contextOf, operationOf } from "../support/contexts.js";
import { FakeSupervisor } from "../support/fake-supervisor.js";
import { instanceOf } from "../support/instances.js";
import { MemoryHost } from "../support/memory-host.js";
import { facts } from "../support/problems.js";
import { rejectionOf } from "../support/thrown.js";

const mebibyte = 2 ** 20;
const totalMib = 81_920;

/** A host with one GPU, on which whatever runs answers. Its processes are 10 to 99; 500 is a stranger. */
class GpuHost extends MemoryHost {
  gpu: Omit<SyntheticGpu, "uuid"> = { usedMib: 0 };
  availableKib = 1024 * 1024;
  answers = true;
  /** Undefined: the connection to the host breaks off. */
  rollups: Readonly<Record<number, string>> | undefined = {};

  constructor() {
    super();
    for (const path of ["/data/bin/engine_1.0", "/data/models/a/m.gguf"]) this.files.set(path, "");
  }

  override request({ path }: HttpRequest): Promise<HttpAnswer> {
    if (!this.answers) return Promise.resolve({ kind: "refused", reason: "connection refused" });
    const bodies: Record<string, string> = {
      "/v1/models": '{"data":[{"id":"chat"}]}',
      "/v1/completions": '{"choices":[{"text":"5"}]}',
    };
    return Promise.resolve({ kind: "answered", status: 200, body: bodies[path] ?? "" });
  }

  override listeningPorts(): Promise<Set<number>> {
    return Promise.resolve(new Set<number>());
  }

  override readText(path: string): Promise<string | undefined> {
    if (path === "/proc/meminfo")
      return Promise.resolve(`MemTotal: 9000000 kB\nMemAvailable: ${this.availableKib} kB\n`);
    const pid = /^\/proc\/(\d+)\/smaps_rollup$/.exec(path)?.[1];
    if (pid !== undefined) return this.rollups === undefined ? gone() : Promise.resolve(this.rollups[Number(pid)]);
    return super.readText(path);
  }

  override run(argv: readonly [string, ...string[]]): Promise<RunResult> {
    const pids = [...Array.from({ length: 90 }, (_, index) => index + 10), 500];
    if (argv[1] === "-o") return told("");
    if (argv[0] === "ps") return told(pids.map((pid) => ` ${pid} 1 ${pid}`).join("\n"));
    return told(argv[1] === "-q" ? nvidiaSmiXml([{ uuid: "GPU-0", totalMib, ...this.gpu }]) : "");
  }
}

function told(stdout: string): Promise<RunResult> {
  return Promise.resolve({ exitCode: 0, stdout, stderr: "" });
}

function gone(): Promise<never> {
  return Promise.reject(new BerthError("host-unreachable", { what: "the connection broke off" }));
}

/** Runners have the processes 10, 11, ... in the order in which they are seen first. */
class CountingSupervisor extends FakeSupervisor {
  readonly pids = new Map<string, number>();
  readonly #host: MemoryHost;

  constructor(host: MemoryHost) {
    super();
    this.#host = host;
  }

  override start(spec: RunnerSpec): Promise<void> {
    this.#host.files.set(execPath(spec.folder), execFile(spec));
    return super.start(spec);
  }

  override async observe(definition: RunnerDefinition): Promise<RunnerObservation> {
    const seen = await super.observe(definition);
    if (seen.state.kind !== "running") return seen;
    const pid = this.pids.get(definition.id) ?? 10 + this.pids.size;
    this.pids.set(definition.id, pid);
    return { ...seen, state: { kind: "running", pid } };
  }
}

const gpu: Accelerator = {
  ...{ type: "cuda", vendor: "nvidia", name: "H100", index: 0, uuid: "GPU-0", driverVersion: "535" },
  memoryBytes: totalMib * mebibyte,
};

function memoryOf(mebibytes: number, basis: PlacedMemory["basis"] = "estimate"): PlacedMemory {
  const takenBytes = mebibytes * mebibyte;
  const parts = { weightsBytes: takenBytes, cacheBytes: 0, otherBytes: 0 };
  return { option: "full", basis, devices: [{ device: "GPU-0", ...parts, takenBytes }], hostBytes: 0 };
}

function stage() {
  const host = new GpuHost();
  const supervisor = new CountingSupervisor(host);
  const warnings: string[] = [];
  const context = {
    ...contextOf(host, supervisor),
    facts: () => Promise.resolve({ ...facts, accelerators: [gpu] }),
    log: ({ kind, text }: LogEvent) => {
      if (kind === "warning" && !text.startsWith("whether its devices hold")) warnings.push(text);
    },
  };
  const { operation, steps } = operationOf();
  const inputs = (changes: Partial<InstanceInputs>) =>
    instanceOf({ minHealthySeconds: 0, healthyDeadlineSeconds: 2, devices: ["GPU-0"], ...changes });
  const converge = (changes: Partial<InstanceInputs> = {}) =>
    instanceKind.converge(context, operation, inputs(changes));
  const observe = () => instanceKind.observe(context, inputs({}), undefined);
  const place = { host, dataDir: "/data", now: new Date("2026-01-01T00:00:00.000Z"), roomOf: () => undefined };
  /** Puts a subordinate there, whose processes are numbered as they are told. */
  const stand = async (name: string, part: Part, pid: number) => {
    const key = { owner: "shop/dev", kind: "Subordinate", name, uses: `subordinates/shop/dev/${name}` };
    await writeEntry(host, "/data", { schemaVersion: 1, ...key, identity: "i", recorded: true });
    const { id } = partDefinition(subordinateFolder({ dataDir: "/data" }, "shop/dev", name), part);
    supervisor.runners.set(id, true);
    supervisor.pids.set(id, pid);
  };
  return { host, steps, warnings, converge, observe, place, stand };
}

const restarted = { argv: ["/data/bin/engine_1.0", "--port", "14000", "--other"] };

describe("an instance whose device has too little free memory is refused, and nothing is touched", () => {
  it("with what a stranger uses", async () => {
    const { host, steps, converge } = stage();
    host.gpu = { usedMib: 61_440, processes: [{ pid: 500, usedMib: 61_000 }] };
    const error = await rejectionOf(converge({ memory: memoryOf(30_720) }));
    expect([error.code, error.message]).toEqual([
      "host-unsuitable",
      [
        "host memory: chat-0: its device has too little free memory, so nothing was stopped or started",
        "  got: device GPU-0: 20.0 GiB free of 80.0 GiB; 59.6 GiB engine (pid 500)",
        "  expected: 30.0 GiB of device GPU-0",
        "  to do: end what uses the device, or run `berth lock`, which looks at the host again and finds another place",
      ].join("\n"),
    ]);
    expect(steps).toEqual([]);
  });

  it("by what other stacks' instances have, which are named with their parts", async () => {
    const { steps, converge, place } = stage();
    const held = { port: 14_001, devices: ["GPU-0"], deviceBytes: { "GPU-0": 61_440 * mebibyte } };
    await reserveClaims(place, claimsOf({ owner: "shop/prod", instance: "talk-0" }, held));
    const error = await rejectionOf(converge({ memory: memoryOf(30_720) }));
    expect([error.code, error.parts.got]).toEqual([
      "already-claimed",
      "20.0 GiB free of 80.0 GiB: 60.0 GiB of device GPU-0 of shop/prod, talk-0",
    ]);
    await converge({ memory: memoryOf(20_480) });
    expect(steps[0]).toBe("claim port 14000, 20.0 GiB of device GPU-0");
  });

  it("by others' claims and strangers together", async () => {
    const { host, steps, converge, place } = stage();
    host.gpu = { usedMib: 20_480, processes: [{ pid: 500, usedMib: 20_480 }] };
    const held = { port: 14_001, devices: ["GPU-0"], deviceBytes: { "GPU-0": 40_960 * mebibyte } };
    await reserveClaims(place, claimsOf({ owner: "shop/prod", instance: "talk-0" }, held));
    const error = await rejectionOf(converge({ memory: memoryOf(30_720) }));
    expect(error.parts.got).toBe(
      "device GPU-0: 20.0 GiB free of 80.0 GiB; 40.0 GiB shop/prod, talk-0; 20.0 GiB engine (pid 500)",
    );
    expect(steps).toEqual([]);
  });

  it("by what the workers of its Ray cluster hold, while its runner goes on", async () => {
    const { host, steps, converge, stand } = stage();
    const behind = { slots: [14_001, 14_002] as [number, number] };
    await converge({ memory: memoryOf(30_720), ...behind });
    await stand("chat-0.gpu-1.14003", "node", 50);
    steps.length = 0;
    host.gpu = { usedMib: 61_440, processes: [{ pid: 50, usedMib: 61_440 }] };
    const error = await rejectionOf(converge({ memory: memoryOf(30_720), ...behind, ...restarted }));
    expect([error.parts.got, steps]).toEqual([
      "device GPU-0: 20.0 GiB free of 80.0 GiB; 60.0 GiB the runner before it",
      [],
    ]);
  });

  it("after the device got fuller, while its runner goes on", async () => {
    const { host, steps, converge } = stage();
    await converge({ memory: memoryOf(30_720) });
    steps.length = 0;
    host.gpu = {
      usedMib: 71_680,
      processes: [
        { pid: 10, usedMib: 30_720 },
        { pid: 500, usedMib: 40_960 },
      ],
    };
    const error = await rejectionOf(converge({ memory: memoryOf(61_440), ...restarted }));
    expect([error.code, steps]).toEqual(["host-unsuitable", []]);
  });
});

describe("the runners of an instance that an update has beside each other", () => {
  const behind = { slots: [14_001, 14_002] as [number, number] };
  const gpuClaims = async (place: Parameters<typeof listClaims>[0]) =>
    (await listClaims(place)).flatMap((claim) => ("device" in claim ? [(claim.bytes ?? 0) / mebibyte] : []));

  it("have a claim on what both take, until one of them is gone", async () => {
    const { converge, steps, place } = stage();
    await converge({ memory: memoryOf(20_480), ...behind });
    expect(await gpuClaims(place)).toEqual([20_480]);
    steps.length = 0;
    await converge({ memory: memoryOf(30_720), ...behind, ...restarted });
    expect(steps).toContain("claim 30.0 GiB of device GPU-0, 50.0 GiB of device GPU-0");
    expect(await gpuClaims(place)).toEqual([30_720]);
  });

  it("claim both, too, when they take as much as each other", async () => {
    const { converge, steps } = stage();
    await converge({ memory: memoryOf(20_480), ...behind });
    steps.length = 0;
    await converge({ memory: memoryOf(20_480), ...behind, ...restarted });
    expect(steps[0]).toBe("claim 40.0 GiB of device GPU-0");
  });

  it("are refused where others leave no room for both, and the old one serves on", async () => {
    const { converge, steps, place } = stage();
    await converge({ memory: memoryOf(20_480), ...behind });
    const theirs = { port: 14_009, devices: ["GPU-0"], deviceBytes: { "GPU-0": 51_200 * mebibyte } };
    await reserveClaims(place, claimsOf({ owner: "shop/prod", instance: "talk-0" }, theirs));
    steps.length = 0;
    const error = await rejectionOf(converge({ memory: memoryOf(20_480), ...behind, ...restarted }));
    expect([error.code, error.parts.expected, steps]).toEqual(["already-claimed", "40.0 GiB of device GPU-0", []]);
    expect(await gpuClaims(place)).toEqual([20_480, 51_200]);
  });

  it("have no more than the one before when the new one does not answer", async () => {
    const { host, converge, place } = stage();
    await converge({ memory: memoryOf(20_480), ...behind });
    host.answers = false;
    await rejectionOf(converge({ memory: memoryOf(30_720), ...behind, ...restarted }));
    expect(await gpuClaims(place)).toEqual([20_480]);
  });

  it("claim no sum where the old one is stopped first", async () => {
    const { converge, steps } = stage();
    await converge({ memory: memoryOf(20_480) });
    steps.length = 0;
    await converge({ memory: memoryOf(30_720), ...restarted });
    expect(steps[0]).toBe("claim 30.0 GiB of device GPU-0");
  });
});

describe("an instance's memory is enough", () => {
  it("with what its own runner gives back, which is stopped before", async () => {
    const { host, steps, converge } = stage();
    await converge({ memory: memoryOf(61_440) });
    host.gpu = { usedMib: 61_440, processes: [{ pid: 10, usedMib: 61_440 }] };
    await converge({ memory: memoryOf(61_440), ...restarted });
    expect(steps).toContain("stop the old runner");
  });

  it("and not looked at while no runner is to start", async () => {
    const { host, converge } = stage();
    await converge({ memory: memoryOf(61_440) });
    host.gpu = { usedMib: totalMib, processes: [{ pid: 500, usedMib: totalMib }] };
    await converge({ memory: memoryOf(61_440), minHealthySeconds: 1 });
  });

  it("beside another of the stack that is being made, of which no record tells yet", async () => {
    const { host, converge } = stage();
    await converge({ memory: memoryOf(40_960) });
    const record = "/data/instances/shop+dev+chat-0/record.json";
    const { runtime: _, ...unfinished } = JSON.parse(host.files.get(record) ?? "{}") as Record<string, unknown>;
    host.files.set(record, JSON.stringify(unfinished));
    host.gpu = { usedMib: 40_000, processes: [{ pid: 10, usedMib: 40_000 }] };
    await converge({ name: "chat-1", port: 14_001, memory: memoryOf(40_960) });
  });

  it("with what the workers of its Ray cluster give back, which end with the engine that is stopped", async () => {
    const { host, steps, converge, stand } = stage();
    await converge({ memory: memoryOf(61_440) });
    await stand("chat-0.gpu-1.14003", "node", 50);
    host.gpu = { usedMib: 61_440, processes: [{ pid: 50, usedMib: 61_440 }] };
    await converge({ memory: memoryOf(61_440), ...restarted });
    expect(steps).toContain("stop the old runner");
  });

  it("beside what another of the stack has here of its layers, which is what it claims", async () => {
    const { host, converge, place, stand } = stage();
    const held = { port: 14_001, devices: ["GPU-0"], deviceBytes: { "GPU-0": 40_960 * mebibyte } };
    await reserveClaims(place, claimsOf({ owner: "shop/dev", instance: "talk-0.gpu-1" }, held));
    await stand("talk-0.gpu-1.14001", "server", 50);
    host.gpu = { usedMib: 40_000, processes: [{ pid: 50, usedMib: 40_000 }] };
    await converge({ memory: memoryOf(40_960) });
  });

  it("where its subordinate has the device until it is its primary's", async () => {
    const { host, converge, place, stand } = stage();
    const held = { port: 14_001, devices: ["GPU-0"], deviceBytes: { "GPU-0": 61_440 * mebibyte } };
    await reserveClaims(place, claimsOf({ owner: "shop/dev", instance: "chat-0.gpu-1" }, held));
    await stand("chat-0.gpu-1.14001", "server", 50);
    host.gpu = { usedMib: 60_000, processes: [{ pid: 50, usedMib: 60_000 }] };
    await converge({ memory: memoryOf(61_440) });
  });

  it("where it has its device alone, and nothing is known of what it needs", async () => {
    const { host, steps, converge } = stage();
    host.gpu = { usedMib: totalMib, processes: [{ pid: 500, usedMib: totalMib }] };
    await converge({ memory: memoryOf(totalMib, "whole") });
    expect(steps[0]).toBe("claim port 14000, device GPU-0");
  });
});

describe("an instance is warned of, and started", () => {
  it("where the vendor's tool does not tell what its own runner holds", async () => {
    const { host, warnings, converge } = stage();
    await converge({ memory: memoryOf(61_440) });
    host.gpu = { usedMib: 61_440 };
    await converge({ memory: memoryOf(61_440), ...restarted });
    expect(warnings).toEqual([
      "whether its memory is free is unknown: GPU-0: its tool does not tell what the runner before it holds",
    ]);
  });

  it("where the host has less memory available than one without devices takes", async () => {
    const { host, warnings, converge } = stage();
    const memory = { ...memoryOf(0), devices: [], hostBytes: 2048 * mebibyte };
    await converge({ devices: undefined, memory });
    host.availableKib = 4096 * 1024;
    await converge({ devices: undefined, memory, ...restarted });
    expect(warnings).toEqual(["needs 2048.0 MiB of the host's memory, of which 1024.0 MiB is available"]);
  });
});

describe("the host's memory for a runner", () => {
  it("counts what the one before it gives back, and not the files that that maps", async () => {
    const { host, warnings, converge } = stage();
    const memory = { option: "cpu", basis: "estimate", devices: [], hostBytes: 2048 * mebibyte } as const;
    const rollup = (anonymousMib: number) => `Rss: 9000000 kB\nAnonymous: ${anonymousMib * 1024} kB\n`;
    host.availableKib = 4096 * 1024;
    await converge({ devices: undefined, memory: { ...memory, devices: [] } });
    host.availableKib = 1024 * 1024;
    host.rollups = { 10: rollup(1024) };
    await converge({ devices: undefined, memory: { ...memory, devices: [] }, ...restarted });
    expect(warnings).toEqual([]);
    host.rollups = { 11: rollup(512) };
    await converge({ devices: undefined, memory: { ...memory, devices: [] } });
    expect(warnings).toEqual(["needs 2048.0 MiB of the host's memory, of which 1536.0 MiB is available"]);
  });
});

describe("what an instance used when it was verified", () => {
  const rollupOf = (kibibytes: number) => ({ 10: `Rss: ${kibibytes} kB\n`, 11: `Rss: ${kibibytes} kB\n` });

  it("is told of its device and its host, and stays as it was then when it is looked at again", async () => {
    const { host, converge, observe } = stage();
    host.rollups = rollupOf(2048);
    host.gpu = { usedMib: 30_000, processes: [{ pid: 10, usedMib: 29_000 }] };
    await converge();
    const verified = {
      hostBytes: 2 * mebibyte,
      devices: [{ device: "GPU-0", bytes: 29_000 * mebibyte }],
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as string,
    };
    const first = await observe();
    expect(first.usedMemory).toEqual(verified);
    host.rollups = rollupOf(4096);
    host.gpu = { usedMib: 40_000, processes: [{ pid: 10, usedMib: 39_000 }] };
    expect((await observe()).usedMemory).toEqual(first.usedMemory);
    await converge(restarted);
    expect((await observe()).usedMemory).toMatchObject({ hostBytes: 4 * mebibyte });
  });

  it.each<[string, GpuHost["rollups"]]>([
    ["the host tells nothing", {}],
    ["the host does not answer then", undefined],
  ])("is left out where %s, and the instance is as verified as ever", async (_, rollups) => {
    const { host, converge, observe } = stage();
    host.rollups = rollups;
    await converge();
    expect(await observe()).toMatchObject({ health: "answered" });
    expect(await observe()).not.toHaveProperty("usedMemory");
  });
});
