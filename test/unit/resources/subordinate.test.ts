import { describe, expect, it } from "vitest";

import type { RunResult } from "../../../src/host/host.js";
import { writeEntry } from "../../../src/host/journal.js";
import { rejectionOf } from "../support/thrown.js";

import { compareFields } from "../../../src/resources/difference.js";
import { planSubordinate, subordinateKind } from "../../../src/resources/subordinate.js";
import { claimedBy } from "../../../src/resources/subordinate-claims.js";
import { writeRunnerFiles } from "../../../src/runtime/runner-files.js";
import type { RunnerDefinition, RunnerObservation, RunnerSpec } from "../../../src/runtime/supervisor.js";
import type { Accelerator } from "../../../src/schema/facts.js";
import { contextOf, operationOf } from "../support/contexts.js";
import { FakeSupervisor } from "../support/fake-supervisor.js";
import { MemoryHost } from "../support/memory-host.js";
import { facts } from "../support/problems.js";
import {
  subordinateDifferences,
  subordinateInputs,
  type SubordinateInputs,
} from "../../../src/resources/subordinate-inputs.js";

const inputs = subordinateInputs.parse({
  name: "chat-0.gpu-2.14003",
  owner: "shop/dev",
  host: { connection: "local", name: "gpu-2", dataDir: "/data" },
  instance: "chat-0",
  backend: "llama-cpp",
  backendVersion: "b11434",
  installation: "installation-1",
  executable: "ggml-rpc-server",
  runtime: "supervisord",
  address: "10.0.0.2",
  port: 14_003,
  admits: "10.0.0.1",
  serverPort: 14_004,
  haproxy: "/usr/sbin/haproxy",
});

/** Supervises processes that listen where their arguments, or their file, say. */
class Keeper extends FakeSupervisor {
  readonly specs = new Map<string, RunnerSpec>();
  readonly pids = new Map<string, number>();
  readonly order: string[] = [];
  #last = 100;

  override start(spec: RunnerSpec): Promise<void> {
    this.specs.set(spec.id, spec);
    this.pids.set(spec.id, (this.#last += 1));
    this.order.push(partOf(spec.id));
    return super.start(spec);
  }

  /** Ends a part, which comes back by itself. */
  restart(part: string): void {
    for (const id of this.runners.keys()) if (partOf(id) === part) this.pids.set(id, (this.#last += 1));
  }

  end(part: string): void {
    for (const id of this.runners.keys()) if (partOf(id) === part) this.runners.set(id, false);
  }

  override async observe(definition: RunnerDefinition): Promise<RunnerObservation> {
    const seen = await super.observe(definition);
    const pid = this.pids.get(definition.id) ?? 0;
    return seen.state.kind === "running" ? { ...seen, state: { kind: "running", pid } } : seen;
  }
}

const partOf = (id: string) => id.slice(id.lastIndexOf(".") + 1);

class ServerHost extends MemoryHost {
  /** What the engine says when it is asked for its devices. */
  devices = "RPC0: 127.0.0.1:14004 (24105 MiB, 24105 MiB free)";
  constructor(readonly keeper: Keeper) {
    super();
    const installation = { schemaVersion: 1, id: "installation-1", artifact: "a", environment: "/data/e" };
    const folder = "/data/backends/llama-cpp_b11434";
    this.files.set(
      `${folder}/installation.json`,
      JSON.stringify({ ...installation, executable: "/data/e/bin/server" }),
    );
    this.files.set("/data/e/bin/ggml-rpc-server", "");
  }

  override listeningPorts(): Promise<Set<number>> {
    const running = [...this.keeper.runners].flatMap(([id, isRunning]) => (isRunning ? [partOf(id)] : []));
    return Promise.resolve(new Set(running.map((part) => (part === "relay" ? 14_003 : 14_004))));
  }

  override run(argv: readonly [string, ...string[]]): Promise<RunResult> {
    const stdout = argv.includes("--list-devices") ? this.devices : "";
    return Promise.resolve({ exitCode: 0, stdout, stderr: "" });
  }
}

function worldOf() {
  const keeper = new Keeper();
  const host = new ServerHost(keeper);
  const accelerators: Accelerator[] = [];
  const context = { ...contextOf(host, keeper), facts: () => Promise.resolve({ ...facts, accelerators }) };
  // What a supervisor does before it starts something.
  const start = keeper.start.bind(keeper);
  keeper.start = async (spec) => {
    await writeRunnerFiles(host, spec);
    return start(spec);
  };
  const converge = (failsAt?: string, changes: Partial<SubordinateInputs> = {}) => {
    const { operation, steps } = operationOf(failsAt);
    return subordinateKind.converge(context, operation, { ...inputs, ...changes }).then(() => steps);
  };
  const observe = () => subordinateKind.observe(context, inputs, undefined);
  const claims = () => [...host.files.keys()].filter((path) => path.startsWith("/data/claims/")).sort();
  return { keeper, host, context, accelerators, converge, observe, claims };
}

const claimedPorts = ["/data/claims/port-14003.json", "/data/claims/port-14004.json"];

describe("a subordinate", () => {
  it("has its server answer before anybody is let in, and is then as it should be", async () => {
    const { keeper, host, converge, observe, claims } = worldOf();
    expect(await converge()).toEqual([
      "claim port 14003, port 14004",
      "start its server, and what stands before it",
      "record what runs",
    ]);
    expect(keeper.order).toEqual(["server", "relay"]);
    const [server, relay] = keeper.specs.values();
    expect(server?.argv).toEqual(["/data/e/bin/ggml-rpc-server", "-H", "127.0.0.1", "-p", "14004"]);
    expect(host.files.get(`${relay?.folder}/haproxy.cfg`)).toContain("reject unless { src 10.0.0.1 }");
    expect(await observe()).toEqual({ start: "id-1", drift: [] });
    expect(claims()).toEqual(claimedPorts);
    expect(await converge()).toEqual([]);
  });

  it("has another start when its server came back by itself, which is then drift no more", async () => {
    const { keeper, converge, observe } = worldOf();
    await converge();
    keeper.restart("server");
    expect((await observe()).drift).toEqual([
      "its server came back by itself, and the primary has lost what it had there",
    ]);
    expect(await converge()).toEqual(["record what runs"]);
    expect(await observe()).toEqual({ start: "id-2", drift: [] });
  });

  it.each(["server", "relay"])("is started again when its %s does not run", async (part) => {
    const { keeper, converge, observe } = worldOf();
    await converge();
    keeper.end(part);
    expect((await observe()).drift).toEqual([`its ${part} does not run (exited)`]);
    await converge();
    expect(await observe()).toEqual({ start: "id-2", drift: [] });
  });

  it("leaves nothing running when its server has no device for the engine", async () => {
    const { keeper, host, converge } = worldOf();
    host.devices = "Available devices:\n  (none)";
    const error = await rejectionOf(converge());
    expect(error.code).toBe("runner-failed");
    expect(error.parts.what).toContain("has no device for llama-cpp b11434");
    expect([...keeper.runners]).toEqual([]);
  });

  it.each(["start its server, and what stands before it", "record what runs"])(
    "is as it should be after a run that was ended before: %s",
    async (step) => {
      const { converge, observe } = worldOf();
      await expect(converge(step)).rejects.toThrow("failed");
      await converge();
      expect((await observe()).drift).toEqual([]);
    },
  );

  it("leaves nothing when it is removed, but for what another has that stands beside it", async () => {
    const { keeper, host, context, converge, claims } = worldOf();
    await converge();
    const next = { ...inputs, name: "chat-0.gpu-2.14005", port: 14_005, serverPort: 14_004 };
    const key = { owner: next.owner, kind: "Subordinate", name: next.name, uses: subordinateKind.uses(next) };
    await writeEntry(host, "/data", { schemaVersion: 1, ...key, identity: "2", recorded: true });
    const folder = "/data/instances/shop+dev+chat-0.gpu-2.14005";
    const record = { schemaVersion: 1, start: "id-9", pids: [], claims: claimedBy(next) };
    host.files.set(`${folder}/record.json`, JSON.stringify(record));
    await subordinateKind.remove(context, operationOf().operation, { owner: "shop/dev", name: inputs.name, uses: "" });
    expect([...keeper.runners]).toEqual([]);
    expect(claims()).toEqual(claimedPorts.slice(1));
    expect([...host.files.keys()].filter((path) => path.includes("chat-0.gpu-2.14003"))).toEqual([]);
  });
});

describe("a subordinate's devices", () => {
  const npu = (uuid: string, index: number): Accelerator => ({
    ...{ type: "cann", name: "Ascend 910B", index, uuid, driverVersion: "24.1", memoryBytes: 2 ** 36 },
  });
  const asked = { devices: ["NPU-1"], env: { ASCEND_RT_VISIBLE_DEVICES: "0" } };

  it.each<[string, Accelerator[], string]>([
    ["is not there", [npu("NPU-2", 0)], "a device that the placement names is not there"],
    ["has another number", [npu("NPU-2", 0), npu("NPU-1", 1)], "the host's driver counts them otherwise than before"],
  ])("are refused before anything is touched where one %s", async (_, found, what) => {
    const { keeper, accelerators, converge, claims } = worldOf();
    accelerators.push(...found);
    const error = await rejectionOf(converge(undefined, asked));
    expect([error.code, error.parts.where]).toEqual(["host-unsuitable", "host memory: chat-0.gpu-2.14003"]);
    expect(error.parts.what).toContain(what);
    expect([[...keeper.runners], claims()]).toEqual([[], []]);
  });

  it("are not looked at while nothing is to be done", async () => {
    const { accelerators, converge } = worldOf();
    accelerators.push(npu("NPU-1", 0));
    await converge(undefined, asked);
    accelerators.pop();
    expect(await converge(undefined, asked)).toEqual([]);
  });

  it("are refused when its server came back by itself and may have another", async () => {
    const { accelerators, keeper, converge } = worldOf();
    accelerators.push(npu("NPU-1", 0));
    await converge(undefined, asked);
    keeper.restart("server");
    accelerators.splice(0, 1, npu("NPU-2", 0), npu("NPU-1", 1));
    expect((await rejectionOf(converge(undefined, asked))).parts.got).toBe("NPU-1 has the number 1, and had 0");
  });
});

const runs = (part: "server" | "relay", pid: number) => ({ part, pid, drift: [] });

describe("what is done about a subordinate", () => {
  const record = { pids: [10, 11] };

  it("is nothing while the very processes run that were proven", () => {
    const seen = [runs("server", 10), runs("relay", 11)];
    expect(planSubordinate({ record, seen, isDrifted: false })).toBe("nothing");
  });

  it.each([
    ["its server", [runs("server", 12), runs("relay", 11)]],
    ["what stands before it", [runs("server", 10), runs("relay", 12)]],
  ])("is to write down anew that %s came back by itself, so that the primary is started again", (_, seen) => {
    expect(planSubordinate({ record, seen, isDrifted: false })).toBe("record");
  });

  it.each([
    ["does not run", [{ part: "server" as const, pid: undefined, drift: ["does not run"] }, runs("relay", 11)]],
    ["was changed", [{ ...runs("server", 10), drift: ["was changed"] }, runs("relay", 11)]],
    ["is not installed", []],
  ])("is to start it where it %s", (_, seen) => {
    expect(planSubordinate({ record, seen, isDrifted: false })).toBe("start");
  });

  it("is to start one that was never proven", () => {
    const seen = [runs("server", 10), runs("relay", 11)];
    expect(planSubordinate({ record: undefined, seen, isDrifted: true })).toBe("start");
  });
});

describe("a subordinate's inputs", () => {
  const changeOf = (change: Partial<SubordinateInputs>) =>
    compareFields(subordinateDifferences, inputs, { ...inputs, ...change }).map((each) => each.change);

  it.each([
    { backendVersion: "b11435" },
    { installation: "installation-2" },
    { admits: "10.0.0.9" },
    { env: { A: "1" } },
  ])("start it again for %j", (change) => expect(changeOf(change)).toEqual(["update"]));

  it("put another beside it before it goes when its name is another", () => {
    expect(changeOf({ name: "chat-0.gpu-2.14005" })).toEqual(["replace"]);
  });

  it("claim its ports and parts of its devices, under a name that those have too who follow it", () => {
    const device = { device: "GPU-a", weightsBytes: 1, cacheBytes: 1, otherBytes: 1, takenBytes: 3 };
    const memory = { option: "hosts2", basis: "estimate" as const, devices: [device], hostBytes: 0 };
    const holder = { owner: "shop/dev", instance: "chat-0.gpu-2" };
    expect(claimedBy({ ...inputs, devices: ["GPU-a"], memory })).toEqual([
      { port: 14_003, ...holder },
      { port: 14_004, ...holder },
      { device: "GPU-a", bytes: 3, ...holder },
    ]);
  });
});
