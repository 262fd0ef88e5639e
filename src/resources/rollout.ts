/** What became of the instances of one run: when a wave may begin, and what is told when one fails. */
import type { Clock } from "../lib/clock.js";
import { BerthError } from "../lib/errors.js";
import { formatSeconds } from "../lib/format.js";
import type { Log } from "../lib/log.js";
import type { InstanceInputs } from "./instance-inputs.js";

/** An instance that takes part in a rollout. */
export interface Member {
  readonly name: string;
  readonly owner: string;
  readonly host: string;
  readonly part: NonNullable<InstanceInputs["rollout"]>;
}

/** Looks at an instance that was changed: what is not as desired, one sentence each. */
export type Look = () => Promise<readonly string[]>;

type Change =
  | { readonly state: "in progress" }
  | { readonly state: "changed"; readonly version: string; readonly at: Date; readonly look: Look }
  | { readonly state: "failed"; readonly serves: string };

interface Entry {
  readonly member: Member;
  readonly change: Change;
}

export interface RolloutOptions {
  readonly clock: Clock;
  /** Aborts when nobody waits for the run any more. */
  readonly signal: AbortSignal;
  readonly log: Log;
}

/** The rollout of one owner, kept in memory: each run begins anew. */
export class Rollout {
  readonly #options: RolloutOptions;
  readonly #entries = new Map<string, Entry>();
  /** The opening of each wave, for all instances of it. */
  readonly #openings = new Map<number, Promise<void>>();
  #failures = 0;

  constructor(options: RolloutOptions) {
    this.#options = options;
  }

  /**
   * Waits until the instance's wave may begin: the pause after the last change of earlier waves is over, and what was
   * changed there is still healthy.
   *
   * @throws BerthError `rollout-stopped` when it is not
   */
  async enter(member: Member): Promise<void> {
    const { wave } = member.part;
    const opening = this.#openings.get(wave) ?? this.#open(member);
    this.#openings.set(wave, opening);
    await opening;
  }

  /** The instance's change begins. */
  begun(member: Member): void {
    this.#entries.set(member.name, { member, change: { state: "in progress" } });
  }

  /** The instance is as wanted. */
  changed(member: Member, version: string, look: Look): void {
    const change = { state: "changed", version, at: this.#options.clock.now(), look } as const;
    this.#entries.set(member.name, { member, change });
  }

  /**
   * The instance is not as wanted.
   *
   * @param serves what serves now, in words
   * @returns whether the rollout goes on all the same
   */
  failed(member: Member, serves: string): boolean {
    this.#entries.set(member.name, { member, change: { state: "failed", serves } });
    this.#failures += 1;
    return this.#failures <= member.part.maxFailures;
  }

  /** What became of the run, one line each. */
  describe({ part: { wave, waves, later }, owner }: Member): string[] {
    const [, stack = ""] = owner.split("/");
    const changed = this.#list("changed", ({ version }) => version);
    const failed = this.#list("failed", ({ serves }) => serves);
    const unfinished = this.#list("in progress", () => undefined);
    return [
      `the rollout stops in wave ${wave} of ${waves}`,
      `  changed: ${changed}`,
      `  failed: ${failed}`,
      ...(unfinished === "none" ? [] : [`  still in progress: ${unfinished}`]),
      `  not begun: ${later === 0 ? "nothing, this is the last wave" : `${later} ${later === 1 ? "instance" : "instances"} of later waves`}`,
      `  \`berth status ${stack}\` tells what runs where`,
    ];
  }

  #list<State extends Change["state"]>(
    state: State,
    tell: (change: Extract<Change, { state: State }>) => string | undefined,
  ): string {
    const found = [...this.#entries.values()].flatMap(({ member: { name, host }, change }) => {
      if (change.state !== state) return [];
      const told = tell(change as Extract<Change, { state: State }>);
      return [`${name} on ${host}${told === undefined ? "" : ` (${told})`}`];
    });
    return found.length === 0 ? "none" : found.join(", ");
  }

  async #open({ name, part: { wave, waves, pauseSeconds } }: Member): Promise<void> {
    const { clock, signal, log } = this.#options;
    const earlier = [...this.#entries.values()].flatMap(({ member, change }) =>
      member.part.wave < wave && change.state === "changed" ? [{ name: member.name, ...change }] : [],
    );
    if (earlier.length === 0) return;
    const last = Math.max(...earlier.map(({ at }) => at.getTime()));
    const seconds = pauseSeconds - (clock.now().getTime() - last) / 1000;
    if (seconds > 0) {
      const text = `wave ${wave} of ${waves} begins in ${formatSeconds(seconds)}, if what was changed is healthy then`;
      log({ kind: "step", subject: name, text });
      await clock.sleep(seconds, signal);
    }
    const drifts = await Promise.all(
      earlier.map(async (change) => (await change.look()).map((sentence) => `${change.name} ${sentence}`)),
    );
    if (drifts.flat().length > 0) throw notHealthy(wave, drifts.flat());
  }
}

/** One rollout for each owner. */
export class Rollouts {
  readonly #options: RolloutOptions;
  readonly #rollouts = new Map<string, Rollout>();

  constructor(options: RolloutOptions) {
    this.#options = options;
  }

  of(owner: string): Rollout {
    const rollout = this.#rollouts.get(owner) ?? new Rollout(this.#options);
    this.#rollouts.set(owner, rollout);
    return rollout;
  }
}

function notHealthy(wave: number, drift: readonly string[]): BerthError {
  return new BerthError("rollout-stopped", {
    where: `wave ${wave}`,
    what: "it was not begun, because what was changed before it is not healthy any more",
    got: drift.join("; "),
    hint: "mend that, and run `pulumi up` again",
  });
}
