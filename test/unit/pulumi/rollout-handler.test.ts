import { describe, expect, it } from "vitest";

import { BerthError } from "../../../src/lib/errors.js";
import type { LogEvent } from "../../../src/lib/log.js";
import type { Handler } from "../../../src/pulumi/handler.js";
import { PartialFailure } from "../../../src/pulumi/partial-failure.js";
import { RolloutHandler } from "../../../src/pulumi/rollout-handler.js";
import { Rollouts } from "../../../src/resources/rollout.js";
import { UpdateLimit } from "../../../src/resources/update-limit.js";
import { deriveStrategy, type InstanceInputs } from "../../../src/resources/instance-inputs.js";
import { FakeClock } from "../support/fake-clock.js";
import { instanceOf } from "../support/instances.js";
import { rejectionOf } from "../support/thrown.js";

type Properties = Record<string, unknown>;

const part = { wave: 1, waves: 2, later: 4, pauseSeconds: 60, maxFailures: 0 };

/** The state of an instance that serves. */
const stateOf = (inputs: InstanceInputs): Properties => {
  return { schemaVersion: 1, ...inputs, health: "answered", drift: [], reachable: true };
};

/** What an update that failed and went back throws: the state before it. */
function wentBack(olds: Properties): PartialFailure {
  return new PartialFailure("id", { ...olds, __provider: "shim" }, ["it does not start\n  | line of a log"]);
}

function stage(
  change: (inputs: Properties, olds?: Properties) => Promise<Properties>,
  seen: Properties = { drift: ["does not run"] },
) {
  const instances: Handler = {
    check: (_, news) => ({ inputs: news, failures: [] }),
    diff: () => ({ changes: true, replaces: [], deleteBeforeReplace: false }),
    create: async (news) => ({ id: "id", outs: await change(news) }),
    read: (id, props) => Promise.resolve({ id, props: { health: "down", ...props, ...seen } }),
    update: async (olds, news) => ({ outs: await change(news, olds) }),
    delete: () => Promise.resolve(),
  };
  const events: LogEvent[] = [];
  const clock = new FakeClock();
  const log = (event: LogEvent) => void events.push(event);
  const rollouts = new Rollouts({ clock, signal: new AbortController().signal, log });
  const handler = new RolloutHandler(instances, { limit: new UpdateLimit(), rollouts, log });
  const update = (before: Partial<InstanceInputs>, after: Partial<InstanceInputs>) => {
    const olds = instanceOf(before);
    const news = deriveStrategy(olds, instanceOf({ ...before, ...after })) as InstanceInputs;
    return handler.update(stateOf(olds), { ...news, __provider: "shim" });
  };
  return { handler, events, update };
}

const succeeds = (inputs: Properties) => Promise.resolve(stateOf(inputs as unknown as InstanceInputs));
const fails = (_: Properties, olds: Properties = {}) => Promise.reject(wentBack(olds));

describe("an instance in its turn", () => {
  it("without replicas and waves changes as it would by itself", async () => {
    expect((await stage(succeeds).update({}, { env: {} })).outs).toMatchObject({ health: "answered" });
    await expect(stage(fails).update({}, { env: {} })).rejects.toMatchObject({ reasons: [expect.any(String)] });
  });

  it("is recreated beside so many replicas, and not held back when its runner is not touched", async () => {
    const running = { now: 0, most: 0 };
    const { update } = stage(async (inputs) => {
      running.now += 1;
      running.most = Math.max(running.most, running.now);
      await new Promise((resolve) => setImmediate(resolve));
      running.now -= 1;
      return inputs;
    });
    const limits = { maxSurge: 3, maxUnavailable: 2 };
    const all = (news: Partial<InstanceInputs>) =>
      Promise.all(["chat-0", "chat-1", "chat-2", "chat-3"].map((name) => update({ name, ...limits }, news)));
    await all({ env: {} });
    expect(running.most).toBe(2);
    await all({ healthPath: "/up" });
    expect(running.most).toBe(4);
  });

  it("that only mends is held back too", async () => {
    const running = { now: 0, most: 0 };
    const { update } = stage(async (inputs) => {
      running.now += 1;
      running.most = Math.max(running.most, running.now);
      await new Promise((resolve) => setImmediate(resolve));
      running.now -= 1;
      return inputs;
    });
    const limits = { maxSurge: 1, maxUnavailable: 1 };
    await Promise.all(["chat-0", "chat-1"].map((name) => update({ name, ...limits }, {})));
    expect(running.most).toBe(1);
  });

  it("that fails in a wave tells how far the rollout got, after its own reason", async () => {
    const { update } = stage((inputs, olds) => (inputs.name === "chat-1" ? fails(inputs, olds) : succeeds(inputs)));
    await update({ name: "chat-0", rollout: part }, { backendVersion: "2.0" });
    const error: unknown = await update({ name: "chat-1", rollout: part }, { backendVersion: "2.0" }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(PartialFailure);
    expect((error as PartialFailure).properties).toMatchObject({ backendVersion: "1.0", __provider: "shim" });
    expect((error as PartialFailure).reasons).toEqual([
      "it does not start\n  | line of a log",
      [
        "the rollout stops in wave 1 of 2",
        "  changed: chat-0 on local (engine 2.0)",
        "  failed: chat-1 on local (engine 1.0 serves)",
        "  not begun: 4 instances of later waves",
        "  `berth status dev` tells what runs where",
      ].join("\n"),
    ]);
  });

  it("that fails and may is told by its state, so that the next run tries again, and by a warning", async () => {
    const { update, events } = stage(fails);
    const bearing = { ...part, maxFailures: 1 };
    const { outs } = await update({ name: "chat-0", rollout: bearing }, { backendVersion: "2.0" });
    expect(outs).toMatchObject({ backendVersion: "1.0", drift: ["is not as wanted: it does not start"] });
    expect(outs).not.toHaveProperty("__provider");
    expect(events).toEqual([
      {
        kind: "warning",
        subject: "chat-0",
        text: "it does not start\n  | line of a log\nthe rollout goes on without it",
      },
    ]);
    await expect(update({ name: "chat-1", rollout: bearing }, { backendVersion: "2.0" })).rejects.toThrow(
      "the rollout stops in wave 1 of 2",
    );
  });

  it("that may fail, and was not touched, is as it was before, or is not there", async () => {
    const error = new BerthError("port-in-use", { what: "the port is taken" });
    const { handler, update } = stage(() => Promise.reject(error));
    const bearing = { ...part, maxFailures: 2 };
    const drift = "is not as wanted: the port is taken";
    const { outs } = await update({ name: "chat-0", rollout: bearing }, { backendVersion: "2.0" });
    expect(outs).toMatchObject({ backendVersion: "1.0", drift: [drift] });
    const news = { ...instanceOf({ name: "chat-1", rollout: bearing }), __provider: "shim" };
    const { id, outs: created } = await handler.create(news);
    expect([id, created.drift, created.health]).toEqual(["local/chat-1", ["does not run", drift], "down"]);
  });

  it("stops where its engine is gone, whatever it may bear", async () => {
    const gone = new BerthError("engine-gone", { what: "gone" });
    const { update } = stage(() => Promise.reject(gone));
    const rollout = { ...part, maxFailures: 9 };
    await expect(update({ rollout }, { backendVersion: "2.0" })).rejects.toBe(gone);
  });

  it.each([
    [{ drift: ["does not run"] }, "chat-0 does not run"],
    [{ reachable: false, drift: [] }, "chat-0 is on a host that does not answer"],
  ])("of a later wave does not begin when what was changed is seen as %j", async (seen, got) => {
    const { update } = stage(succeeds, seen);
    await update({ name: "chat-0", rollout: part }, { backendVersion: "2.0" });
    const error = await rejectionOf(
      update({ name: "chat-1", rollout: { ...part, wave: 2 } }, { backendVersion: "2.0" }),
    );
    expect([error.code, error.parts.where, error.parts.got]).toEqual(["rollout-stopped", "wave 2", got]);
  });

  it("of a later wave begins when what was changed is healthy", async () => {
    const { update } = stage(succeeds, { drift: [] });
    await update({ name: "chat-0", rollout: part }, { backendVersion: "2.0" });
    const { outs } = await update({ name: "chat-1", rollout: { ...part, wave: 2 } }, { backendVersion: "2.0" });
    expect(outs).toMatchObject({ backendVersion: "2.0" });
  });
});
