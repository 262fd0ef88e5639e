/** What is done to an instance behind a gateway. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  choosePort,
  planInstance,
  planRollback,
  type InstanceSeen,
  type InstanceStep,
  type SeenGeneration,
} from "../../../src/resources/instance-plan.js";

const [a, b] = [14_001, 14_002];
const running = (generation: string, port?: number): SeenGeneration => ({
  generation,
  running: true,
  intact: true,
  port,
});
const stopped = (generation: string, port?: number): SeenGeneration => ({
  ...running(generation, port),
  running: false,
});
const told = (steps: readonly InstanceStep[]) => steps.map((step) => `${step.do} ${step.generation}`);

describe("planInstance behind a gateway", () => {
  it.each<[string, InstanceSeen, number | undefined, string[]]>([
    [
      "starts where nothing is, and sends requests to it when it answers",
      { current: undefined, generations: [], active: undefined },
      a,
      ["start new", "verify new", "switch new", "commit new"],
    ],
    [
      "starts the new one beside the old, and removes that when its requests have ended",
      { current: "old", generations: [running("old", a)], active: a },
      b,
      ["start new", "verify new", "switch new", "commit new", "drain old", "discard old"],
    ],
    [
      "touches nothing that serves as wanted",
      { current: "new", generations: [running("new", a)], active: a },
      a,
      ["verify new", "commit new"],
    ],
    [
      "sends requests where they belong",
      { current: "new", generations: [running("new", a)], active: undefined },
      a,
      ["verify new", "switch new", "commit new"],
    ],
    [
      "takes up where a change was interrupted after the switch",
      { current: "old", generations: [running("old", a), running("new", b)], active: b },
      b,
      ["verify new", "commit new", "drain old", "discard old"],
    ],
    [
      "goes back when the edit was reverted after the switch",
      { current: "old", generations: [running("old", a), running("new", b)], active: b },
      undefined,
      ["verify old", "switch old", "commit old", "drain new", "discard new"],
    ],
    [
      "sends requests back before a third one takes the place of an interrupted second",
      { current: "old", generations: [running("old", a), running("second", b)], active: b },
      b,
      [
        ...["switch old", "drain second", "discard second"],
        ...["start new", "verify new", "switch new", "commit new", "drain old", "discard old"],
      ],
    ],
    [
      "keeps an interrupted second serving until the first is back, when that has ended",
      { current: "old", generations: [stopped("old", a), running("second", b)], active: b },
      b,
      [
        ...["start old", "verify old", "switch old", "drain second", "discard second"],
        ...["start new", "verify new", "switch new", "commit new", "discard old"],
      ],
    ],
    [
      "stops one that serves by itself only when the new one answers: it has the gateway's port",
      { current: "old", generations: [running("old")], active: undefined },
      a,
      ["start new", "verify new", "stop old", "switch new", "commit new", "discard old"],
    ],
  ])("%s", (_, seen, port, steps) => {
    const desired = port === undefined ? "old" : "new";
    expect(told(planInstance(desired, seen, port ?? a))).toEqual(steps);
  });

  it("gives the port at the gateway up before one serves by itself", () => {
    const seen = { current: "old", generations: [running("old", a)], active: a };
    expect(told(planInstance("new", seen))).toEqual([
      ...["stop old", "close new", "start new", "verify new", "commit new", "discard old"],
    ]);
  });
});

describe("planRollback behind a gateway", () => {
  const old: InstanceSeen = { current: "old", generations: [running("old", a)], active: a };

  it("leaves the old one as it is, and nothing of the new one", () => {
    expect(told(planRollback("new", old, [], b))).toEqual(["discard new"]);
    const begun = [{ do: "switch", generation: "new" }] as const;
    expect(told(planRollback("new", old, begun, b))).toEqual(["switch old", "discard new"]);
  });

  it("starts the old one again when it had ended", () => {
    const seen = { ...old, generations: [stopped("old", a)] };
    expect(told(planRollback("new", seen, [], b))).toEqual([
      ...["start old", "verify old", "switch old", "commit old", "discard new"],
    ]);
  });

  it("brings one that served by itself back only when it was stopped", () => {
    const seen: InstanceSeen = { current: "old", generations: [running("old")], active: undefined };
    expect(told(planRollback("new", seen, [{ do: "start", generation: "new" }], a))).toEqual(["discard new"]);
    expect(told(planRollback("new", seen, [{ do: "stop", generation: "old" }], a))).toEqual([
      ...["close new", "discard new", "start old", "verify old", "commit old"],
    ]);
  });

  it("sends requests back to the gateway's runner when one that was to serve by itself does not", () => {
    expect(told(planRollback("new", old, [{ do: "stop", generation: "old" }]))).toEqual([
      ...["discard new", "start old", "verify old", "switch old", "commit old"],
    ]);
  });

  it("leaves nothing when there was none before", () => {
    expect(told(planRollback("new", { current: undefined, generations: [] }, [], a))).toEqual([
      "close new",
      "discard new",
    ]);
  });
});

describe("choosePort", () => {
  it.each<[string, Parameters<typeof choosePort>[2], number]>([
    ["the first when nothing is", { current: undefined, ports: {}, active: undefined }, a],
    ["the one that the old runner has not", { current: "old", ports: { old: a }, active: a }, b],
    ["its own, also when requests go there", { current: "old", ports: { old: b, new: a }, active: a }, a],
    ["its own when it is the current one", { current: "new", ports: { new: b }, active: b }, b],
    ["one that nobody answers on, when nothing is recorded", { current: undefined, ports: {}, active: a }, b],
    [
      "any when the old runner has a port of other slots",
      { current: "old", ports: { old: 14_009 }, active: 14_009 },
      a,
    ],
    [
      "another than the old runner's, whatever is recorded",
      { current: "old", ports: { old: a, new: a }, active: a },
      b,
    ],
  ])("takes %s", (_, known, port) => {
    expect(choosePort([a, b], "new", known)).toBe(port);
  });
});

/** A little model of a host with a gateway: what the steps do. */
class Machine {
  readonly generations = new Map<string, { running: boolean; intact: boolean; port: number }>();
  current: string | undefined;
  active: number | undefined;

  see(): InstanceSeen {
    const generations = [...this.generations].map(([generation, state]) => ({ generation, ...state }));
    return { current: this.current, generations, active: this.active };
  }

  /** The generation that answers clients. */
  get serving(): string | undefined {
    return [...this.generations].find(
      ([name, { running: runs, port }]) => runs && port === this.active && name !== "broken",
    )?.[0];
  }

  portFor(desired: string): number {
    const ports = Object.fromEntries([...this.generations].map(([name, { port }]) => [name, port]));
    return choosePort([a, b], desired, { current: this.current, ports, active: this.active });
  }

  perform({ do: what, generation }: InstanceStep, port: number, desired: string): void {
    const state = this.generations.get(generation);
    switch (what) {
      case "start": {
        const own = generation === desired ? port : state?.port;
        expect(own).toBeDefined();
        const rivals = [...this.generations].filter(([name, each]) => name !== generation && each.running);
        expect(rivals.map(([, each]) => each.port)).not.toContain(own);
        expect(rivals.length).toBeLessThanOrEqual(1);
        this.generations.set(generation, { running: true, intact: true, port: own ?? 0 });
        break;
      }
      case "verify":
        expect(state?.running).toBe(true);
        if (generation === "broken") throw new Error("never healthy");
        break;
      case "switch":
        expect(state?.running).toBe(true);
        this.active = state?.port;
        break;
      case "commit":
        expect(this.serving).toBe(generation);
        this.current = generation;
        break;
      case "drain":
        expect(this.active).not.toBe(state?.port);
        break;
      case "close":
        this.active = undefined;
        break;
      case "discard":
        this.generations.delete(generation);
        break;
      case "stop":
        expect.unreachable("everything is behind the gateway");
    }
  }
}

class Killed extends Error {}

interface Attempt {
  desired: string;
  trouble: { kind: "fails" | "killed"; at: number } | undefined;
  killedGoingBackAt: number | undefined;
}

/** Does steps. Once something was recorded to serve, something does after each of them. */
function walk(
  machine: Machine,
  steps: readonly InstanceStep[],
  { port, desired }: { port: number; desired: string },
  trouble: Attempt["trouble"],
): void {
  for (const [index, step] of steps.entries()) {
    if (index === trouble?.at) throw trouble.kind === "fails" ? new Error("failed") : new Killed();
    const served = machine.current !== undefined && machine.serving !== undefined;
    machine.perform(step, port, desired);
    if (served) expect(machine.serving, `nothing serves after ${step.do} ${step.generation}`).toBeDefined();
  }
}

function attempt(machine: Machine, { desired, trouble, killedGoingBackAt }: Attempt): void {
  const seen = machine.see();
  const port = machine.portFor(desired);
  const steps = planInstance(desired, seen, port);
  const verified = steps.findIndex((step) => step.do === "commit");
  const begun = steps.slice(0, (trouble?.at ?? steps.length) + 1);
  // After the commit there is no way back, so there a failure counts as a kill.
  const isLate = trouble?.kind === "fails" && trouble.at > verified;
  try {
    walk(machine, steps, { port, desired }, isLate ? { kind: "killed", at: trouble.at } : trouble);
    expect(machine.see()).toEqual({ current: desired, generations: [running(desired, port)], active: port });
  } catch (error) {
    if (error instanceof Killed) return;
    if (!(error instanceof Error && /^(failed|never healthy)$/.test(error.message))) throw error;
    const back = killedGoingBackAt === undefined ? undefined : ({ kind: "killed", at: killedGoingBackAt } as const);
    try {
      walk(machine, planRollback(desired, seen, begun, port), { port, desired }, back);
    } catch (failure) {
      if (!(failure instanceof Killed)) throw failure;
      return;
    }
    if (
      seen.current === undefined ||
      seen.current === desired ||
      !seen.generations.some(({ generation }) => generation === seen.current)
    )
      return;
    expect(machine.serving).toBe(seen.current);
    expect([...machine.generations.keys()]).toEqual([seen.current]);
  }
}

describe("an instance behind a gateway, through changes that fail and are killed at any step", () => {
  const trouble = fc.option(
    fc.record({ kind: fc.constantFrom("fails" as const, "killed" as const), at: fc.nat({ max: 10 }) }),
    { nil: undefined },
  );
  const change = fc.record<Attempt>({
    desired: fc.constantFrom("one", "two", "three", "broken"),
    trouble,
    killedGoingBackAt: fc.option(fc.nat({ max: 4 }), { nil: undefined }),
  });
  /** What happens to it meanwhile. */
  const drift = fc.constantFrom("the current runner ended" as const, "the gateway lost its file" as const);

  it("is never without a runner that serves, never has more than two, and ends with the wanted one alone", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof({ arbitrary: change, weight: 4 }, { arbitrary: drift, weight: 1 }), { maxLength: 8 }),
        fc.constantFrom("one", "two"),
        (events, last) => {
          const machine = new Machine();
          for (const event of events) {
            if (typeof event === "object") attempt(machine, event);
            else if (event === "the gateway lost its file") machine.active = undefined;
            else {
              const state = machine.generations.get(machine.current ?? "");
              if (state !== undefined) machine.generations.set(machine.current ?? "", { ...state, running: false });
            }
          }
          attempt(machine, { desired: last, trouble: undefined, killedGoingBackAt: undefined });
          expect(machine.serving).toBe(last);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
