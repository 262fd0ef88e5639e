import { describe, expect, it } from "vitest";

import type { HttpAnswer, HttpRequest } from "../../../src/host/host.js";
import { readRecord, type InstanceRecord } from "../../../src/resources/instance-files.js";
import { planInstance } from "../../../src/resources/instance-plan.js";
import { desiredRunner } from "../../../src/resources/instance-runner.js";
import { performSteps, type InstanceWork } from "../../../src/resources/instance-steps.js";
import { writeRunnerFiles } from "../../../src/runtime/runner-files.js";
import { contextOf, operationOf } from "../support/contexts.js";
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

/** An update from the old runner, which serves, to the new one; a step of the given text fails. */
async function update(failsAt?: string) {
  const host = new AnsweringHost();
  const supervisor = new FakeSupervisor();
  await writeRunnerFiles(host, oldRunner);
  supervisor.runners.set(oldRunner.id, true);
  const record: InstanceRecord = { schemaVersion: 1, salt: "salt", current: oldRunner.generation, restarts: 0, pid: 1 };
  const work: InstanceWork = {
    context: contextOf(host, supervisor),
    inputs: newInputs,
    folder,
    record,
    spec: newRunner,
    desired: newRunner.generation,
    seen: {
      current: oldRunner.generation,
      generations: [{ generation: oldRunner.generation, running: true, intact: true }],
    },
  };
  const { operation, steps } = operationOf(failsAt);
  const updating = performSteps(work, operation, planInstance(work.desired, work.seen));
  const failure = await updating.then(
    () => undefined,
    (error: unknown) => String(error),
  );
  const { current } = (await readRecord(host, folder)) ?? record;
  return { failure, steps, runners: [...supervisor.runners], current };
}

const started = ["stop the old runner", "start the runner", "wait until it answers", "record what runs"];

describe("performSteps of an update", () => {
  it("ends with the new runner alone", async () => {
    expect(await update()).toEqual({
      failure: undefined,
      steps: [...started, "remove the old runner"],
      runners: [[newRunner.id, true]],
      current: newRunner.generation,
    });
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

  it("keeps the new runner, which was verified and recorded, when only removing the old one fails", async () => {
    const { failure, steps, runners, current } = await update("remove the old runner");
    expect(failure).toContain("remove the old runner: failed");
    expect(steps).toEqual([...started, "remove the old runner"]);
    expect(Object.fromEntries(runners)).toEqual({ [oldRunner.id]: false, [newRunner.id]: true });
    expect(current).toBe(newRunner.generation);
  });
});
