import type * as pulumi from "@pulumi/pulumi";

import type { DesiredInstance } from "../planner/desired.js";
import { hostsVariable } from "../planner/waves.js";

/** The hosts that a run is about; undefined when it is about all. */
export function hostsOfRun(environment: Readonly<Record<string, string | undefined>>): ReadonlySet<string> | undefined {
  const named = environment[hostsVariable];
  return named === undefined || named === "" ? undefined : new Set(named.split(","));
}

/** Instances with their places in the list, those of earlier waves first. */
export function byWave(instances: readonly DesiredInstance[]): [index: number, instance: DesiredInstance][] {
  const waveOf = ({ rollout }: DesiredInstance) => rollout?.wave ?? 0;
  return [...instances.entries()].sort(([, a], [, b]) => waveOf(a) - waveOf(b));
}

/** What the instances of a wave wait for: all of the wave before, which waited for those before it. */
export class WaveOrder {
  readonly #meant: ReadonlySet<string> | undefined;
  readonly #waves = new Map<number, pulumi.Resource[]>();

  /** @param meant the hosts that the run is about: the others change nothing, so nothing waits for them */
  constructor(meant: ReadonlySet<string> | undefined) {
    this.#meant = meant;
  }

  isMeant(host: string): boolean {
    return this.#meant?.has(host) ?? true;
  }

  before({ rollout }: DesiredInstance): pulumi.Resource[] {
    if (rollout === undefined) return [];
    const earlier = [...this.#waves.keys()].filter((wave) => wave < rollout.wave);
    return earlier.length === 0 ? [] : (this.#waves.get(Math.max(...earlier)) ?? []);
  }

  /** Takes in an instance, with what checks it. */
  add({ rollout, placed }: DesiredInstance, resources: readonly pulumi.Resource[]): void {
    if (rollout === undefined || !this.isMeant(placed.host)) return;
    this.#waves.set(rollout.wave, [...(this.#waves.get(rollout.wave) ?? []), ...resources]);
  }
}
