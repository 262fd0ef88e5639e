import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  chooseStrategy,
  planInstance,
  planRollback,
  type InstanceSeen,
  type InstanceStep,
  type SeenGeneration,
} from "../../../src/resources/instance-plan.js";

const running = (generation: string): SeenGeneration => ({ generation, running: true, intact: true });
const stopped = (generation: string): SeenGeneration => ({ generation, running: false, intact: true });
const told = (steps: readonly InstanceStep[]) => steps.map((step) => `${step.do} ${step.generation}`);
const plan = (desired: string, current: string | undefined, ...generations: SeenGeneration[]) =>
  told(planInstance(desired, { current, generations }));

describe("planInstance", () => {
  it.each<[string, string[], string[]]>([
    ["starts where nothing is", plan("new", undefined), ["start new", "verify new", "commit new"]],
    ["only verifies what runs as wanted", plan("new", "new", running("new")), ["verify new", "commit new"]],
    ["starts what was stopped", plan("new", "new", stopped("new")), ["start new", "verify new", "commit new"]],
    [
      "starts again what was changed by hand",
      plan("new", "new", { ...running("new"), intact: false }),
      ["start new", "verify new", "commit new"],
    ],
    [
      "stops the old runner first, and removes it last",
      plan("new", "old", running("old")),
      ["stop old", "start new", "verify new", "commit new", "discard old"],
    ],
    [
      "takes up where an interrupted change left off",
      plan("new", "old", stopped("old"), running("new")),
      ["verify new", "commit new", "discard old"],
    ],
    [
      "goes back when the edit was reverted after an interruption",
      plan("old", "old", stopped("old"), running("new")),
      ["stop new", "start old", "verify old", "commit old", "discard new"],
    ],
  ])("%s", (_, steps, expected) => {
    expect(steps).toEqual(expected);
  });
});

describe("planRollback", () => {
  const rollback = (desired: string, current: string | undefined, ...generations: SeenGeneration[]) =>
    told(planRollback(desired, { current, generations }));

  it("brings back the one that served, and sees that it does", () => {
    expect(rollback("new", "old", running("old"))).toEqual(["discard new", "start old", "verify old", "commit old"]);
  });

  it("takes away what earlier attempts left, before the one that served starts", () => {
    expect(rollback("new", "old", stopped("old"), running("stray"))).toEqual([
      ...["discard new", "discard stray", "start old", "verify old", "commit old"],
    ]);
  });

  it("leaves nothing when there was none before", () => {
    expect(rollback("new", undefined)).toEqual(["discard new"]);
    expect(rollback("new", undefined, running("stray"))).toEqual(["discard new", "discard stray"]);
    expect(rollback("new", "old")).toEqual(["discard new"]);
  });

  it("leaves the one that served with its supervisor when that is the wanted one", () => {
    expect(rollback("new", "new", running("new"))).toEqual([]);
  });
});

/** A little model of a host: what the steps do to generations. */
class Machine {
  readonly generations = new Map<string, { running: boolean; intact: boolean }>();
  current: string | undefined;

  see(): InstanceSeen {
    const generations = [...this.generations].map(([generation, state]) => ({ generation, ...state }));
    return { current: this.current, generations };
  }

  get running(): string[] {
    return [...this.generations].filter(([, state]) => state.running).map(([generation]) => generation);
  }

  perform({ do: what, generation }: InstanceStep): void {
    const state = this.generations.get(generation);
    switch (what) {
      case "stop":
        expect(state).toBeDefined();
        this.generations.set(generation, { intact: true, ...state, running: false });
        break;
      case "start":
        expect(this.running.filter((other) => other !== generation)).toEqual([]);
        this.generations.set(generation, { running: true, intact: true });
        break;
      case "verify":
        expect(this.running).toEqual([generation]);
        if (generation === "broken") throw new Error("never healthy");
        break;
      case "commit":
        expect(this.running).toEqual([generation]);
        this.current = generation;
        break;
      case "discard":
        // What was verified last goes only when another was verified since.
        expect(generation).not.toBe(this.current);
        this.generations.delete(generation);
        break;
      default:
        expect.unreachable("there is no gateway");
    }
  }

  /** A step of which a kill left half done. */
  performHalf({ do: what, generation }: InstanceStep): void {
    if (what === "start") this.generations.set(generation, { running: false, intact: false });
    if (what === "discard" && this.generations.has(generation))
      this.generations.set(generation, { running: false, intact: false });
  }
}

class Killed extends Error {}

interface Attempt {
  desired: string;
  /** The step at which something fails, or the process is killed, perhaps halfway through it. */
  trouble: { kind: "fails" | "killed" | "killed halfway"; at: number } | undefined;
  /** The step of the way back at which the process is killed. */
  killedGoingBackAt: number | undefined;
}

const killedAt = (at: number | undefined): Attempt["trouble"] =>
  at === undefined ? undefined : { kind: "killed", at };

function walk(machine: Machine, steps: readonly InstanceStep[], trouble: Attempt["trouble"]): void {
  for (const [index, step] of steps.entries()) {
    if (index === trouble?.at) {
      if (trouble.kind === "killed halfway") machine.performHalf(step);
      throw trouble.kind === "fails" ? new Error("failed") : new Killed();
    }
    machine.perform(step);
    expect(machine.running.length).toBeLessThanOrEqual(1);
  }
}

/** A change as `performSteps` does it; what must hold after it is checked. */
function attempt(machine: Machine, { desired, trouble, killedGoingBackAt }: Attempt): void {
  const seen = machine.see();
  const steps = planInstance(desired, seen);
  const verified = steps.findIndex((step) => step.do === "commit");
  expect(steps.slice(0, verified).filter((step) => step.do === "discard")).toEqual([]);
  try {
    // After the commit there is no way back, so there a failure counts as a kill.
    walk(machine, steps, trouble?.kind === "fails" && trouble.at > verified ? killedAt(trouble.at) : trouble);
    expect(machine.see()).toEqual({ current: desired, generations: [running(desired)] });
  } catch (error) {
    if (error instanceof Killed) return;
    if (!isExpected(error)) throw error;
    goBack(machine, desired, seen, killedGoingBackAt);
  }
}

const isExpected = (error: unknown) => error instanceof Error && /^(failed|never healthy)$/.test(error.message);

function goBack(machine: Machine, desired: string, seen: InstanceSeen, killedGoingBackAt: number | undefined): void {
  try {
    walk(machine, planRollback(desired, seen), killedAt(killedGoingBackAt));
  } catch (error) {
    if (error instanceof Killed) return;
    throw error;
  }
  expect(machine.current).toBe(seen.current);
  if (seen.current === desired) return;
  const served = seen.generations.flatMap(({ generation }) => (generation === seen.current ? [generation] : []));
  expect(machine.see().generations).toEqual(served.map(running));
}

describe("an instance, through changes that fail and are killed at any step", () => {
  const kind = fc.constantFrom("fails" as const, "killed" as const, "killed halfway" as const);
  const trouble = fc.option(fc.record({ kind, at: fc.nat({ max: 6 }) }), { nil: undefined });
  const change = fc.record<Attempt>({
    desired: fc.constantFrom("one", "two", "three", "broken"),
    trouble,
    killedGoingBackAt: fc.option(fc.nat({ max: 3 }), { nil: undefined }),
  });
  /** What happens to it meanwhile: its runner ends, or its files are changed. */
  const drift = fc.constantFrom("runner ended" as const, "file changed" as const);

  it("never runs twice, goes back to what served, and in the end runs as wanted and nothing else", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(change, drift), { maxLength: 8 }),
        fc.constantFrom("one", "two"),
        (events, last) => {
          const machine = new Machine();
          for (const event of events) {
            if (typeof event === "object") attempt(machine, event);
            else
              for (const [generation, state] of machine.generations)
                machine.generations.set(
                  generation,
                  event === "runner ended" ? { ...state, running: false } : { ...state, intact: false },
                );
          }
          attempt(machine, { desired: last, trouble: undefined, killedGoingBackAt: undefined });
          expect(machine.see()).toEqual({ current: last, generations: [running(last)] });
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe("chooseStrategy", () => {
  it.each([
    ["create", "create", "none: nothing runs yet; an instance that this replaces is deleted first"],
    [
      "replace",
      "replace",
      "from the old runner's removal until the new one answers, at most 300 s; the old one does not come back if it does not",
    ],
    ["settings", "verify", "none: the runner is not touched"],
    ["switch", "blueGreen", "none: the old runner serves until the new one is verified"],
    [
      "restart",
      "recreate",
      "from the old runner's stop until the new one answers, at most 300 s; the old one is kept and comes back if it does not",
    ],
  ] as const)("tells for a %s what is done, and how long nothing answers", (change, kind, downtime) => {
    expect(chooseStrategy(change, 300)).toEqual({ kind, downtime });
  });
});
