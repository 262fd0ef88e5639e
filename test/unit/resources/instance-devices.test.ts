import { describe, expect, it } from "vitest";

import type { RunResult } from "../../../src/host/host.js";
import type { LogEvent } from "../../../src/lib/log.js";
import { assertHeld, deviceDrift } from "../../../src/resources/instance-devices.js";
import type { InstanceInputs } from "../../../src/resources/instance-inputs.js";
import type { Accelerator } from "../../../src/schema/facts.js";
import { nvidiaSmiXml, type SyntheticGpu } from "../../support/nvidia-smi.js";
import { contextOf } from "../support/contexts.js";
import { FakeSupervisor } from "../support/fake-supervisor.js";
import { instanceOf } from "../support/instances.js";
import { MemoryHost } from "../support/memory-host.js";
import { facts } from "../support/problems.js";
import { rejectionOf } from "../support/thrown.js";

const definition = { id: "chat-0.1", folder: "/data/instances/chat-0/1", startSeconds: 1, stopSeconds: 1 };
const gpu: Accelerator = {
  ...{ type: "cuda", vendor: "nvidia", name: "H100", index: 0, uuid: "GPU-0", memoryBytes: 80e9, driverVersion: "535" },
};

/** A host with one GPU, whose runner is process 1; each look at the GPU is the next of those given, the last for ever. */
class GpuHost extends MemoryHost {
  readonly asked: string[] = [];
  readonly #looks: SyntheticGpu[];

  constructor(...looks: Omit<SyntheticGpu, "uuid">[]) {
    super();
    this.#looks = looks.map((look) => ({ uuid: "GPU-0", ...look }));
    const record = { schemaVersion: 2, id: "1", path: "m.gguf", source: "", files: fileOf(8 * 2 ** 30) };
    this.files.set(`/data/models/${"a".repeat(64)}/placement.json`, JSON.stringify(record));
  }

  override run(argv: readonly [string, ...string[]]): Promise<RunResult> {
    this.asked.push(argv.join(" "));
    if (argv[0] === "ps") return told(" 1 0 1\n 7 0 7\n");
    if (argv[1] !== "-q") return told("");
    return told(nvidiaSmiXml(this.#looks.length > 1 ? this.#looks.splice(0, 1) : this.#looks));
  }

  get smiCalls(): number {
    return this.asked.filter((command) => command === "nvidia-smi -q -x").length;
  }
}

function fileOf(sizeBytes: number) {
  return { "m.gguf": { sizeBytes, changedAt: "", sha256: "a".repeat(64) } };
}

function told(stdout: string): Promise<RunResult> {
  return Promise.resolve({ exitCode: 0, stdout, stderr: "" });
}

const held = { usedMib: 9000, processes: [{ pid: 1, usedMib: 8900 }] };
const onProcessor = { usedMib: 4 };

function stage(host: GpuHost) {
  const readOutput = (_: unknown, lines: number) =>
    Promise.resolve(`the last ${lines} lines: no CUDA-capable device is detected, key hunter2`);
  const supervisor = Object.assign(new FakeSupervisor(), { readOutput });
  supervisor.runners.set(definition.id, true);
  const events: LogEvent[] = [];
  const context = {
    ...contextOf(host, supervisor),
    facts: () => Promise.resolve({ ...facts, accelerators: [gpu] }),
    log: (event: LogEvent) => events.push(event),
  };
  const inputs = (changes: Partial<InstanceInputs> = {}) => instanceOf({ devices: ["GPU-0"], ...changes });
  return {
    events,
    context,
    verify: (changes: Partial<InstanceInputs> = {}) => assertHeld(context, inputs(changes), definition),
    drift: (changes: Partial<InstanceInputs> = {}) => deviceDrift(context, inputs(changes), 1),
  };
}

describe("a runner with devices that answers", () => {
  it("is healthy when they hold its model, and nothing is said of it", async () => {
    const { verify, events } = stage(new GpuHost(held));
    await verify();
    expect(events).toEqual([]);
  });

  it("is healthy when the head of its Ray cluster has the workers that hold its part of the model", async () => {
    const part = (name: string, ray: "head" | "member") => ({ name, backendVersion: "1.0", start: "1", ray });
    const subordinates = [part("chat-0.one.14003", "head"), part("chat-0.two.14004", "member")];
    // An eighth of the half that is here.
    const heldByHead = { usedMib: 600, processes: [{ pid: 7, usedMib: 520 }] };
    const host = new GpuHost(heldByHead);
    const record = { schemaVersion: 1, start: "1", pids: [7], claims: [] };
    host.files.set("/data/instances/shop+dev+chat-0.one.14003/record.json", JSON.stringify(record));
    const { verify, drift } = stage(host);
    await verify({ subordinates });
    expect(await drift({ subordinates })).toEqual([]);
    expect((await rejectionOf(stage(new GpuHost(heldByHead)).verify())).code).toBe("runner-failed");
  });

  it("is given some seconds to show its memory", async () => {
    const host = new GpuHost(onProcessor, held);
    await stage(host).verify();
    expect(host.smiCalls).toBe(2);
  });

  it("fails when it fell back to the processor, and tells what was seen on which device, and its last lines", async () => {
    const error = await rejectionOf(stage(new GpuHost(onProcessor)).verify());
    expect([error.code, error.message.split("\n")]).toEqual([
      "runner-failed",
      [
        "host memory: chat-0: the runner answers, but its devices do not hold the model",
        "  got: GPU-0: no process of the runner, 4.2 MB in use in all",
        "  expected: at least 1.1 GB of the runner's on GPU-0, and on no other device",
        expect.stringContaining("to do: an engine that finds no device runs on the processor") as string,
        "  | the last 50 lines: no CUDA-capable device is detected, key [secret]",
      ],
    ]);
  });

  it("is healthy, and the log says once that its devices are unknown, where the tool does not tell", async () => {
    const { verify, events } = stage(new GpuHost({ usedMib: 9000 }));
    await verify();
    expect(events).toEqual([
      {
        kind: "warning",
        subject: "chat-0",
        text: "whether its devices hold the model is unknown: GPU-0: its tool does not tell whose all of its memory is",
      },
    ]);
  });

  it("is not looked at without devices, and may keep in the host's memory what its parameters say", async () => {
    const host = new GpuHost(onProcessor);
    await stage(host).verify({ devices: undefined });
    expect(host.asked).toEqual([]);
    await stage(host).verify({ argv: ["/data/bin/engine_1.0", "-ngl", "10"] });
  });
});

describe("an instance with devices that is observed", () => {
  it("has drifted when its devices do not hold its model any more, which is looked at twice before it is said", async () => {
    const host = new GpuHost(onProcessor);
    expect(await stage(host).drift()).toEqual([
      "its devices do not hold the model: GPU-0: no process of the runner, 4.2 MB in use in all",
    ]);
    expect(host.smiCalls).toBe(2);
    expect(await stage(new GpuHost(onProcessor, held)).drift()).toEqual([]);
  });

  it("asks the tool once for all instances of a host", async () => {
    const host = new GpuHost(held);
    const { drift } = stage(host);
    expect(await Promise.all([drift(), drift(), drift()])).toEqual([[], [], []]);
    expect(host.asked).toEqual(["nvidia-smi -q -x", "ps -axo pid=,ppid=,pgid="]);
  });

  it("looks anew for a runner that was not there at the last look", async () => {
    const host = new GpuHost(held);
    const { context } = stage(host);
    await context.acceleratorUse.with(1, { vendors: ["nvidia"] });
    await context.acceleratorUse.with(2, { vendors: ["nvidia"] });
    expect(host.smiCalls).toBe(2);
  });

  it("says nothing where the tool does not tell", async () => {
    expect(await stage(new GpuHost({ usedMib: 9000 })).drift()).toEqual([]);
    expect(await stage(new GpuHost(onProcessor)).drift({ devices: ["0000:0a:00.0"] })).toEqual([]);
  });

  it("has drifted when the number that its process is told is another device's now", async () => {
    const { context } = stage(new GpuHost(held));
    const moved = [{ ...gpu, type: "rocm" as const, index: 1, uuid: "0000:0a:00.0" }];
    const world = { ...context, facts: () => Promise.resolve({ ...facts, accelerators: moved }) };
    const inputs = instanceOf({ devices: ["0000:0a:00.0"], env: { HIP_VISIBLE_DEVICES: "0" } });
    expect(await deviceDrift(world, inputs, 1)).toEqual(["0000:0a:00.0 has the number 1, and had 0"]);
    expect(await deviceDrift(world, { ...inputs, env: { HIP_VISIBLE_DEVICES: "1" } }, 1)).toEqual([]);
  });
});
