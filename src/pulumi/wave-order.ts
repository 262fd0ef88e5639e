import type * as pulumi from "@pulumi/pulumi";

import type { DesiredInstance } from "../planner/desired.js";
import { inSuccession, type Succession } from "../planner/succession.js";
import { hostsVariable } from "../planner/waves.js";

/** The hosts that a run is about; undefined when it is about all. */
export function hostsOfRun(environment: Readonly<Record<string, string | undefined>>): ReadonlySet<string> | undefined {
  const named = environment[hostsVariable];
  return named === undefined || named === "" ? undefined : new Set(named.split(","));
}

/** Instances with their places in the list, those of earlier waves first, and nobody before whom it waits for. */
export function byWave(
  instances: readonly DesiredInstance[],
  succession: Succession = [],
): [index: number, instance: DesiredInstance][] {
  const sorted = [...instances.entries()].sort(([, a], [, b]) => waveOf(a) - waveOf(b));
  return inSuccession(sorted, ([, { name }]) => name, succession);
}

/** The wave of each instance, by its name. */
export function wavesOf(instances: readonly DesiredInstance[]): ReadonlyMap<string, number> {
  return new Map(instances.map((instance) => [instance.name, waveOf(instance)]));
}

function waveOf({ rollout }: DesiredInstance): number {
  return rollout?.wave ?? 0;
}

/**
 * What the instances of a wave wait for: all of the wave before, which waited for those before it. Without waves too an
 * instance waits for those that give up what it is to get.
 */
export class WaveOrder {
  readonly #meant: ReadonlySet<string> | undefined;
  readonly #succession: Succession;
  readonly #waves = new Map<number, pulumi.Resource[]>();
  readonly #instances = new Map<string, readonly pulumi.Resource[]>();

  /** @param meant the hosts that the run is about: the others change nothing, so nothing waits for them */
  constructor(meant: ReadonlySet<string> | undefined, succession: Succession = []) {
    this.#meant = meant;
    this.#succession = succession;
  }

  isMeant(host: string): boolean {
    return this.#meant?.has(host) ?? true;
  }

  before({ name, rollout }: DesiredInstance): pulumi.Resource[] {
    const givers = this.#succession.flatMap(([later, earlier]) =>
      later === name ? (this.#instances.get(earlier) ?? []) : [],
    );
    if (rollout === undefined) return givers;
    const earlier = [...this.#waves.keys()].filter((wave) => wave < rollout.wave);
    const wave = earlier.length === 0 ? [] : (this.#waves.get(Math.max(...earlier)) ?? []);
    return [...wave, ...givers];
  }

  /** Takes in an instance, with what checks it. */
  add({ name, rollout, placed }: DesiredInstance, resources: readonly pulumi.Resource[]): void {
    if (!this.isMeant(placed.host)) return;
    this.#instances.set(name, resources);
    if (rollout === undefined) return;
    this.#waves.set(rollout.wave, [...(this.#waves.get(rollout.wave) ?? []), ...resources]);
  }
}
