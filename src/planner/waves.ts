/** Which host changes when. Pure. */
import type { PlacedInstance, PlacedRollout } from "../schema/lock.js";
import type { RolloutEntry, Wave } from "../schema/rollout.js";

/**
 * The hosts in waves, in the order of their names. Each wave ends after so many hosts from the first, or such a part of
 * them, rounded up; one that would have none is left out, and what is left comes last.
 */
export function chooseWaves(hosts: readonly string[], waves: readonly Wave[]): string[][] {
  const sorted = [...new Set(hosts)].sort();
  const chosen: string[][] = [];
  let begin = 0;
  for (const wave of [...waves, "100%"]) {
    const end = Math.min(sorted.length, endOf(wave, sorted.length));
    if (end > begin) chosen.push(sorted.slice(begin, end));
    begin = Math.max(begin, end);
  }
  return chosen;
}

function endOf(wave: Wave, hosts: number): number {
  return typeof wave === "number" ? wave : Math.ceil((Number.parseInt(wave, 10) * hosts) / 100);
}

/** What a stack's rollout is for the instances that were placed. */
export function placeRollout(
  rollout: RolloutEntry | undefined,
  instances: readonly Pick<PlacedInstance, "host">[],
): PlacedRollout | undefined {
  if (rollout === undefined) return undefined;
  const { waves, pause, maxFailures } = rollout;
  const hosts = instances.map(({ host }) => host);
  return { waves: chooseWaves(hosts, waves), pauseSeconds: pause, maxFailures };
}

/** An instance's part in a rollout. */
export interface RolloutPart {
  /** From 1. */
  readonly wave: number;
  readonly waves: number;
  /** How many instances come in later waves. */
  readonly later: number;
  readonly pauseSeconds: number;
  readonly maxFailures: number;
}

/** The part that instances of a host have. */
export function rolloutPart(
  { waves, pauseSeconds, maxFailures }: PlacedRollout,
  host: string,
  instances: readonly Pick<PlacedInstance, "host">[],
): RolloutPart {
  const index = waves.findIndex((hosts) => hosts.includes(host));
  const after = new Set(waves.slice(index + 1).flat());
  const later = instances.filter((instance) => after.has(instance.host)).length;
  return { wave: index + 1, waves: waves.length, later, pauseSeconds, maxFailures };
}

/** The environment variable by which `berth up --host` tells the program which hosts a run is about, with commas. */
export const hostsVariable = "BERTH_HOSTS";
