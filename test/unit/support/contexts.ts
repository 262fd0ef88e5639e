import { SeenClaims } from "../../../src/host/claim-files.js";
import type { Host } from "../../../src/host/host.js";
import { silentLog } from "../../../src/lib/log.js";
import { createRedact } from "../../../src/lib/redact.js";
import { Serial } from "../../../src/lib/serial.js";
import { AcceleratorUses } from "../../../src/resources/accelerator-uses.js";
import type { Context, Operation } from "../../../src/resources/kind.js";
import type { Gateway } from "../../../src/runtime/gateway.js";
import type { Supervisor } from "../../../src/runtime/supervisor.js";
import type { ModelGateway } from "../../../src/runtime/model-gateway.js";
import { FakeClock } from "./fake-clock.js";
import { FakeGateway } from "./fake-gateway.js";
import { FakeSupervisor } from "./fake-supervisor.js";
import { facts } from "./problems.js";

/** The world of a resource below /data on a host, with a clock of its own. */
export function contextOf(
  host: Host,
  supervisor: Supervisor = new FakeSupervisor(),
  gateway: Partial<Gateway> = new FakeGateway(),
  modelGateway?: Partial<ModelGateway>,
): Context {
  let ids = 0;
  const { signal } = new AbortController();
  return {
    host,
    reference: { name: "local", connection: "local", dataDir: "/data" },
    clock: new FakeClock(),
    signal,
    gone: signal,
    log: silentLog,
    redact: createRedact(["hunter2"]),
    serial: new Serial(),
    content: {
      backendFile: () => Promise.reject(new Error("no backend files here")),
      pythonTool: () => Promise.reject(new Error("no tools here")),
    },
    newId: () => `id-${(ids += 1)}`,
    facts: () => Promise.resolve(facts),
    lookAgain: () => Promise.resolve(facts),
    findPython: () => Promise.resolve(facts),
    acceleratorUse: new AcceleratorUses(host),
    supervisor: () => supervisor,
    containerEngine: () => Promise.reject(new Error("no container engine here")),
    gateway: () => gateway as Gateway,
    modelGateway: () => {
      if (modelGateway === undefined) throw new Error("no gateway that routes by model here");
      return modelGateway as ModelGateway;
    },
  };
}

/** An operation that remembers its steps, and fails before the one with the given text. */
export function operationOf(failsAt?: string, isFirst = false): { operation: Operation; steps: string[] } {
  const steps: string[] = [];
  const operation: Operation = {
    isFirst,
    seenClaims: new SeenClaims(),
    async step(name, action) {
      steps.push(name);
      if (name === failsAt) throw new Error(`${name}: failed`);
      return action();
    },
  };
  return { operation, steps };
}
