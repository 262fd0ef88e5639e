import type { PlacedInstance, Placement } from "../schema/lock.js";

/**
 * Product names of the devices that replicas are given, sorted; `cpu` for one that has none. One that is given none sees
 * all of its host, unless its memory is known and on no device. Pure.
 */
export function acceleratorNames(
  replicas: readonly Pick<PlacedInstance, "host" | "devices" | "memory">[],
  hosts: Placement["hosts"],
): string[] {
  const names = replicas.flatMap(({ host, devices, memory }) => {
    const needsNone = memory?.devices.length === 0;
    const isGiven = (uuid: string) => (devices.length === 0 ? !needsNone : devices.includes(uuid));
    const found = (hosts[host]?.facts.accelerators ?? []).flatMap(({ name, uuid, mig }) => [
      ...(isGiven(uuid) ? [name] : []),
      ...(mig?.devices ?? [])
        .filter((part) => devices.includes(part.uuid))
        .map(({ profile = "MIG device" }) => `${name} ${profile}`),
    ]);
    return found.length === 0 ? ["cpu"] : found;
  });
  return [...new Set(names)].sort();
}
