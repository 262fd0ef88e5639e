import { describe, expect, it } from "vitest";

import type { HttpAnswer, HttpRequest } from "../../../src/host/host.js";
import { BerthError } from "../../../src/lib/errors.js";
import { readRecord, type InstanceRecord } from "../../../src/resources/instance-files.js";
import { planInstance } from "../../../src/resources/instance-plan.js";
import { desiredRunner, recordedTarget } from "../../../src/resources/instance-runner.js";
import { performSteps, type InstanceWork } from "../../../src/resources/instance-steps.js";
import type { Operation } from "../../../src/resources/kind.js";
import { writeRunnerFiles } from "../../../src/runtime/runner-files.js";
import type { RunnerDefinition, RunnerObservation } from "../../../src/runtime/supervisor.js";
import { measure } from "../../../src/schema/measures.js";
import { contextOf, operationOf } from "../support/contexts.js";
import { FakeGateway } from "../support/fake-gateway.js";
import { FakeSupervisor } from "../support/fake-supervisor.js";
import { instanceOf } from "../support/instances.js";
import { MemoryHost } from "../support/memory-host.js";

const folder = "/data/instances/shop+dev+chat-0";
const oldInputs = instanceOf({ minHealthySeconds: 0 });
const newInputs = instanceOf({ minHealthySeconds: 0, argv: ["/data/bin/engine_2.0", "--port", "14000"] });
const oldRunner = desiredRunner(oldInputs, folder, "salt");
const newRunner = desiredRunner(newInputs, folder, "salt");

/** A host on which whatever runs answers. */
class AnsweringHost extends MemoryHost {
  override request({ path }: HttpRequest): Promise<HttpAnswer> {
    const bodies: Record<string, string> = {
      "/v1/models": '{"data":[{"id":"chat"}]}',
      "/v1/completions": '{"choices":[{"text":"5"}]}',
    };
    return Promise.resolve({ kind: "answered", status: 200, body: bodies[path] ?? "" });
  }
}

class WatchedSupervisor extends FakeSupervisor {
  looks = 0;

  override observe(definition: RunnerDefinition): Promise<RunnerObservation> {
    this.looks += 1;
    return super.observe(definition);
  }
}

/** An update from the old runner, which serves, to the new one; a step of the given text fails, or is interrupted. */
async function update(failsAt?: string, interruptedAt?: string) {
  const host = new AnsweringHost();
  const supervisor = new WatchedSupervisor();
  const interrupter = new AbortController();
  await writeRunnerFiles(host, oldRunner);
  supervisor.runners.set(oldRunner.id, true);
  const record: InstanceRecord = { schemaVersion: 1, salt: "salt", current: oldRunner.generation, restarts: 0, pid: 1 };
  const work: InstanceWork = {
    context: { ...contextOf(host, supervisor), signal: interrupter.signal },
    inputs: newInputs,
    folder,
    record,
    spec: newRunner,
    desired: newRunner.generation,
    port: undefined,
    seen: {
      current: oldRunner.generation,
      generations: [{ generation: oldRunner.generation, running: true, intact: true }],
    },
  };
  const { operation, steps } = operationOf(failsAt);
  const interrupting: Operation = {
    ...operation,
    step(name, action) {
      if (name === interruptedAt) interrupter.abort(new BerthError("interrupted", { what: "interrupted" }));
      return operation.step(name, action);
    },
  };
  const updating = performSteps(work, interrupting, planInstance(work.desired, work.seen));
  const failure = await updating.then(
    () => undefined,
    (error: unknown) => String(error),
  );
  const { current } = (await readRecord(host, folder)) ?? record;
  const { looks } = supervisor;
  const measured = [...host.files.keys()].filter((path) => path.startsWith("/data/cache/measures/"));
  const loads = measured.map((path) => measure.parse(JSON.parse(host.files.get(path) ?? "")));
  return { failure, steps, runners: [...supervisor.runners], current, looks, loads };
}

const started = ["stop the old runner", "start the runner", "wait until it answers", "record what runs"];

describe("performSteps of an update", () => {
  it("ends with the new runner alone", async () => {
    expect(await update()).toEqual({
      failure: undefined,
      steps: [...started, "remove the old runner"],
      runners: [[newRunner.id, true]],
      current: newRunner.generation,
      // While it is verified, and when it is recorded.
      looks: 2,
      loads: [
        {
          ...{
            schemaVersion: 1,
            kind: "load",
            backend: newInputs.backend,
            modelSha256: newInputs.modelSha256,
            devices: 0,
          },
          samples: [{ seconds: 0, version: newInputs.backendVersion, at: "2026-01-01T00:00:00.000Z" }],
        },
      ],
    });
  });

  it("that fails tells nothing of how long it takes to load", async () => {
    expect((await update("record what runs")).loads).toEqual([]);
  });

  it.each(started)("brings the old runner back when this fails: %s", async (failsAt) => {
    const { failure, steps, runners, current } = await update(failsAt);
    expect(failure).toContain(`${failsAt}: failed`);
    expect(steps.slice(started.indexOf(failsAt) + 1)).toEqual([
      "go back: remove the new runner",
      "go back: start the old runner",
      "go back: wait until it answers",
      "go back: record what runs",
    ]);
    expect([runners, current]).toEqual([[[oldRunner.id, true]], oldRunner.generation]);
  });

  it.each(started.slice(0, -1))("brings the old runner back when it is interrupted: %s", async (interruptedAt) => {
    const { failure, steps, runners, current } = await update(undefined, interruptedAt);
    expect(failure).toContain("interrupted; the runner before it serves again");
    expect(steps.slice(started.indexOf(interruptedAt) + 1)).toEqual([
      "go back: remove the new runner",
      "go back: start the old runner",
      "go back: wait until it answers",
      "go back: record what runs",
    ]);
    expect([runners, current]).toEqual([[[oldRunner.id, true]], oldRunner.generation]);
  });

  it("goes on to its end when it is interrupted after the new runner was recorded", async () => {
    const { failure, runners } = await update(undefined, "remove the old runner");
    expect([failure, runners]).toEqual([undefined, [[newRunner.id, true]]]);
  });

  it("keeps the new runner, which was verified and recorded, when only removing the old one fails", async () => {
    const { failure, steps, runners, current } = await update("remove the old runner");
    expect(failure).toContain("remove the old runner: failed");
    expect(steps).toEqual([...started, "remove the old runner"]);
    expect(Object.fromEntries(runners)).toEqual({ [oldRunner.id]: false, [newRunner.id]: true });
    expect(current).toBe(newRunner.generation);
  });
});

describe("performSteps of an update behind a gateway", () => {
  const slots: [number, number] = [14_001, 14_002];
  const argv = (version: string) => [`/data/bin/engine_${version}`, "--port", "{{port}}"];
  const before = instanceOf({ minHealthySeconds: 0, slots, argv: argv("1.0") });
  const after = instanceOf({ minHealthySeconds: 0, slots, argv: argv("2.0"), drainSeconds: 5 });
  const old = desiredRunner(before, folder, "salt", slots[0]);
  const next = desiredRunner(after, folder, "salt", slots[1]);

  async function updateBehindGateway(failsAt?: string) {
    const host = new AnsweringHost();
    const supervisor = new FakeSupervisor();
    const gateway = new FakeGateway();
    await writeRunnerFiles(host, old);
    supervisor.runners.set(old.id, true);
    const listener = { instance: "chat-0", address: "127.0.0.1", port: 14_000, slots };
    await gateway.switchTo({ ...listener, active: slots[0] });
    const generations = [{ generation: old.generation, running: true, intact: true, port: slots[0] }];
    const work: InstanceWork = {
      context: contextOf(host, supervisor, gateway),
      inputs: after,
      folder,
      record: {
        ...{ schemaVersion: 1, salt: "salt", current: old.generation, restarts: 0, pid: 1 },
        ...{ ports: { [old.generation]: slots[0] }, target: recordedTarget(before) },
      },
      spec: next,
      desired: next.generation,
      port: slots[1],
      seen: { current: old.generation, generations, active: slots[0] },
    };
    const { operation, steps } = operationOf(failsAt);
    await performSteps(work, operation, planInstance(work.desired, work.seen, work.port)).catch(() => undefined);
    const record = await readRecord(host, folder);
    return { steps, runners: [...supervisor.runners], active: gateway.served.get("chat-0")?.active, record };
  }

  it("ends with the new runner, on its own port, and the requests sent there", async () => {
    const { steps, runners, active, record } = await updateBehindGateway();
    expect(steps).toEqual([
      ...["start the runner", "wait until it answers", "send requests to it", "record what runs"],
      ...["let requests in progress end", "remove the old runner"],
    ]);
    expect([runners, active]).toEqual([[[next.id, true]], slots[1]]);
    expect(record).toMatchObject({ current: next.generation, ports: { [next.generation]: slots[1] } });
    expect(next.argv).toEqual(["/data/bin/engine_2.0", "--port", "14002"]);
  });

  it.each(["start the runner", "wait until it answers", "send requests to it", "record what runs"])(
    "keeps the old runner, which was never stopped, when this fails: %s",
    async (failsAt) => {
      const { steps, runners, active } = await updateBehindGateway(failsAt);
      const isSwitched = ["send requests to it", "record what runs"].includes(failsAt);
      expect(steps.slice(steps.indexOf(failsAt) + 1)).toEqual([
        ...(isSwitched ? ["go back: send requests to the old runner"] : []),
        "go back: remove the new runner",
      ]);
      expect([runners, active]).toEqual([[[old.id, true]], slots[0]]);
    },
  );
});
