/** What a fleet has left beside what was placed. Pure. */
import type { FleetHost } from "./fleet/problem.js";

/** What something has of a host. */
export interface Taken {
  readonly host: string;
  readonly ramBytes: number;
  /** By device; `Infinity` for one that it has alone. */
  readonly devices: ReadonlyMap<string, number>;
}

/** The hosts with the room that is left. Nobody has a device whole that others use. */
export function withoutTaken(hosts: readonly FleetHost[], taken: readonly Taken[]): FleetHost[] {
  if (taken.length === 0) return [...hosts];
  const byHost = new Map<string, Taken[]>();
  for (const each of taken) byHost.set(each.host, [...(byHost.get(each.host) ?? []), each]);
  return hosts.map((host) => {
    const own = byHost.get(host.name);
    if (own === undefined) return host;
    const ramBytes = own.reduce((left, each) => left - each.ramBytes, host.ramBytes);
    const devices = host.devices.map((device) => {
      const bytes = own.reduce((total, each) => total + (each.devices.get(device.id) ?? 0), 0);
      const isUsed = own.some((each) => each.devices.has(device.id));
      return isUsed ? { ...device, freeBytes: Math.max(0, device.freeBytes - bytes), hasOthers: true } : device;
    });
    return { ...host, ramBytes: Math.max(0, ramBytes), devices };
  });
}
