import { describe, expect, it } from "vitest";

import { claimsOf, listClaims, reserveClaims } from "../../../src/host/claims.js";
import type { HttpAnswer, HttpRequest, RunResult } from "../../../src/host/host.js";
import { sha256 } from "../../../src/lib/canonical.js";
import { instanceKind } from "../../../src/resources/instance.js";
import type { InstanceInputs } from "../../../src/resources/instance-inputs.js";
import { containerSettings } from "../../../src/schema/container.js";
import type { Accelerator } from "../../../src/schema/facts.js";
import { settingsOf } from "../support/container-specs.js";
import { contextOf, operationOf } from "../support/contexts.js";
import { FakeSupervisor } from "../support/fake-supervisor.js";
import { instanceOf } from "../support/instances.js";
import { MemoryHost } from "../support/memory-host.js";
import { facts } from "../support/problems.js";
import { rejectionOf } from "../support/thrown.js";

/** A host that has the runner's files, and on which whatever runs answers, until it is told not to. */
class RunnerHost extends MemoryHost {
  readonly listening = new Set<number>();
  answers = true;

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
    return Promise.resolve(this.listening);
  }

  override run(): Promise<RunResult> {
    return Promise.resolve({ exitCode: 0, stdout: 'LISTEN 0 5 *:14000 *:* users:(("nginx",pid=77,fd=6))', stderr: "" });
  }
}

const now = new Date("2026-01-01T00:00:00.000Z");
const place = (host: MemoryHost) => ({ host, dataDir: "/data", now, roomOf: () => 80e9 });
const own = { owner: "shop/dev", instance: "chat-0" };
const gpu: Accelerator = {
  type: "cuda",
  name: "H100",
  index: 3,
  uuid: "GPU-1",
  memoryBytes: 80e9,
  driverVersion: "535",
  mig: {
    mode: "enabled",
    devices: [{ uuid: "MIG-1", index: 0, gpuInstance: 1, computeInstance: 0, memoryBytes: 10e9 }],
  },
};

function stage(host = new RunnerHost()) {
  const supervisor = new FakeSupervisor();
  const accelerators = [gpu];
  const context = {
    ...contextOf(host, supervisor),
    facts: () => Promise.resolve({ ...facts, accelerators }),
  };
  const { operation, steps } = operationOf();
  const converge = (changes: Partial<InstanceInputs> = {}) =>
    instanceKind.converge(
      context,
      operation,
      instanceOf({ minHealthySeconds: 0, healthyDeadlineSeconds: 2, ...changes }),
    );
  const remove = () =>
    instanceKind.remove(context, operation, { owner: "shop/dev", name: "chat-0", uses: "instances/shop/dev/chat-0" });
  const drift = async (changes: Partial<InstanceInputs>) =>
    (await instanceKind.observe(context, instanceOf({ minHealthySeconds: 0, ...changes }), undefined)).drift;
  return { host, supervisor, accelerators, steps, converge, remove, drift, claims: () => listClaims(place(host)) };
}

describe("what an instance claims", () => {
  it("is its port and its devices, from before it starts until it is removed", async () => {
    const { converge, remove, claims, steps } = stage();
    await converge({ devices: ["GPU-1"] });
    expect(steps[0]).toBe("claim port 14000, device GPU-1");
    expect(await claims()).toEqual([
      { device: "GPU-1", ...own },
      { port: 14_000, ...own },
    ]);
    await remove();
    expect(await claims()).toEqual([]);
  });

  it("takes no step of its own when the run has reserved it before", async () => {
    const { host, converge, claims, steps } = stage();
    await reserveClaims(place(host), claimsOf(own, { port: 14_000 }));
    await converge();
    expect(steps[0]).toBe("start the runner");
    expect(await claims()).toEqual([{ port: 14_000, ...own }]);
  });

  it("is the new port alone after it moved, and the old one alone when the new runner did not answer", async () => {
    const { host, converge, claims } = stage();
    await converge({ devices: ["GPU-1"] });
    const moved = { port: 14_001, argv: ["/data/bin/engine_1.0", "--port", "14001"], devices: ["MIG-1"] };
    host.answers = false;
    await rejectionOf(converge(moved));
    expect(await claims()).toEqual([
      { device: "GPU-1", ...own },
      { port: 14_000, ...own },
    ]);
    host.answers = true;
    await converge(moved);
    expect(await claims()).toEqual([
      { device: "MIG-1", ...own },
      { port: 14_001, ...own },
    ]);
  });

  it("is nothing when it could not be created", async () => {
    const { host, converge, claims } = stage();
    host.answers = false;
    await rejectionOf(converge());
    expect(await claims()).toEqual([]);
  });
});

describe("an instance is refused, and nothing is touched", () => {
  it.each([
    ["another stack", { owner: "shop/prod", instance: "chat-0" }],
    ["another instance of the program", { owner: "shop/dev", instance: "other-0" }],
  ])("when its port belongs to %s, which is named", async (_, holder) => {
    const { host, converge, steps } = stage();
    await reserveClaims(place(host), claimsOf(holder, { port: 14_000 }));
    const before = new Map(host.files);
    const error = await rejectionOf(converge());
    expect([error.code, error.parts.got]).toEqual([
      "already-claimed",
      `port 14000 of ${holder.owner}, ${holder.instance}`,
    ]);
    expect([steps, host.files]).toEqual([[], before]);
  });

  it("when the number that its process is told is another device's since the last boot", async () => {
    const { accelerators, converge, steps } = stage();
    accelerators[0] = { ...gpu, type: "rocm", uuid: "0000:0a:00.0" };
    const told = (number: number) => ({ devices: ["0000:0a:00.0"], env: { HIP_VISIBLE_DEVICES: String(number) } });
    const error = await rejectionOf(converge(told(2)));
    expect([error.code, error.parts.got, steps]).toEqual([
      "host-unsuitable",
      "0000:0a:00.0 has the number 3, and had 2",
      [],
    ]);
    await converge(told(3));
    expect(steps).toContain("start the runner");
  });

  it("when a device of its own belongs to another", async () => {
    const { host, converge, steps } = stage();
    await reserveClaims(
      place(host),
      claimsOf({ owner: "shop/prod", instance: "chat-0" }, { port: 14_001, devices: ["GPU-1"] }),
    );
    const error = await rejectionOf(converge({ devices: ["GPU-1"] }));
    expect(error.message).toContain("the device belongs to another instance\n  got: device GPU-1 of shop/prod, chat-0");
    expect(steps).toEqual([]);
  });

  it("when a process that is not its own listens on its port, which is named", async () => {
    const { host, converge, steps } = stage();
    host.listening.add(14_000);
    const error = await rejectionOf(converge());
    expect([error.code, error.message]).toEqual([
      "port-in-use",
      [
        "host memory: chat-0: port 14000 is taken by another process",
        "  got: nginx (pid 77)",
        "  to do: stop that process, or give the deployment another port",
      ].join("\n"),
    ]);
    expect(steps).toEqual([]);
  });

  it("when a device is not there; one whose index is another than it was is there", async () => {
    const { converge, steps, supervisor } = stage();
    const error = await rejectionOf(converge({ devices: ["GPU-1", "GPU-9"] }));
    expect([error.code, error.parts.got, error.parts.expected]).toEqual(["host-unsuitable", "GPU-1, MIG-1", "GPU-9"]);
    expect(steps).toEqual([]);
    await converge({ devices: ["MIG-1"] });
    expect(supervisor.runners.size).toBe(1);
  });

  const cann = (uuid: string, index: number): Accelerator => ({ ...gpu, type: "cann", uuid, index, mig: undefined });
  const numbered = (indexes: number[]) => ({
    container: containerSettings.parse(
      settingsOf({
        devices: { form: "numberedNodes", acceleratorType: "cann", ids: ["npu-a", "npu-b"], indexes },
      }),
    ),
  });

  it("when its container's devices have other numbers than it was given, or are not there", async () => {
    const { converge, steps, accelerators } = stage();
    accelerators.splice(0, 1, cann("npu-a", 3), cann("npu-b", 2));
    const moved = await rejectionOf(converge(numbered([2, 3])));
    expect([moved.code, moved.parts.got]).toEqual([
      "host-unsuitable",
      "npu-a has the number 3, and had 2; npu-b has the number 2, and had 3",
    ]);
    accelerators.pop();
    const gone = await rejectionOf(converge(numbered([3, 2])));
    expect([gone.code, gone.parts.expected]).toEqual(["host-unsuitable", "npu-b"]);
    expect(steps).toEqual([]);
    accelerators.push(cann("npu-b", 2));
    await converge(numbered([3, 2]));
  });

  it("when a file of its runner is not there", async () => {
    const { converge, steps } = stage();
    const error = await rejectionOf(converge({ modelPath: `/data/models/${sha256("x")}/m.gguf` }));
    expect([error.code, steps]).toEqual(["file-not-found", []]);
  });
});

describe("an instance whose device is known by nothing but its number", () => {
  const bootFile = "/proc/sys/kernel/random/boot_id";

  it("has drifted after its host was started anew, until it is verified again", async () => {
    const { host, accelerators, converge, drift } = stage();
    accelerators[0] = { ...gpu, type: "cann", uuid: "npu-3", identifiedBy: "index" };
    const inputs = { devices: ["npu-3"] };
    host.files.set(bootFile, "one\n");
    await converge(inputs);
    const before = await drift(inputs);
    host.files.set(bootFile, "two\n");
    const said = (await drift(inputs)).filter((sentence) => !before.includes(sentence));
    expect(said).toEqual([
      "its host was started anew since it was verified, and npu-3 may be another card now: only its number is known",
    ]);
    await converge(inputs);
    expect(await drift(inputs)).toEqual(before);
  });

  it("has not drifted by that where the device has an identity", async () => {
    const { host, converge, drift } = stage();
    const inputs = { devices: ["GPU-1"] };
    host.files.set(bootFile, "one\n");
    await converge(inputs);
    const before = await drift(inputs);
    host.files.set(bootFile, "two\n");
    expect(await drift(inputs)).toEqual(before);
  });
});
