/** Why replicas are where they are, in a line for each deployment. Pure. */
import { formatMemory } from "../lib/format.js";
import type { PlacedMemory } from "../schema/placement.js";
import type { ReplicaPlace } from "./replica-problem.js";
import type { Ways } from "./way.js";

interface Explained {
  readonly name: string;
  readonly ways: Ways;
  /** Why hosts with the right labels do not come into question, by host. */
  readonly leftOut: Readonly<Record<string, string>>;
}

/** Nothing is said of replicas that have no device, and of which nothing is known. */
export function explainPlaces({ name, ways, leftOut }: Explained, places: ReadonlyMap<string, ReplicaPlace>): string[] {
  const own = [...places.values()].filter(({ deployment }) => deployment === name);
  const byText = new Map<string, string[]>();
  for (const { host, memory, subordinates = [] } of own) {
    if (memory === undefined) continue;
    const others = subordinates.flatMap((each) =>
      each.memory === undefined ? [] : [`and on ${each.host} ${describeMemory(each.memory)}`],
    );
    const text = [describeMemory(memory), ...others].join(", ");
    byText.set(text, [...(byText.get(text) ?? []), host]);
  }
  return [
    ...[...byText].map(([text, hosts]) => `${name}: ${[...new Set(hosts)].join(", ")}: ${text}`),
    ...(ways.note === undefined ? [] : [`${name}: its devices are its own alone: ${ways.note}`]),
    ...Object.entries(leftOut).map(([host, why]) => `${name}: not on host ${host}: ${why}`),
  ];
}

/** What a replica takes, in one line: `4 devices, each 71.7 GiB: weights 33.9 GiB, cache 34.1 GiB, other 3.7 GiB`. */
export function describeMemory({ basis, devices, hostBytes }: PlacedMemory): string {
  const [first] = devices;
  if (first === undefined)
    return `${formatMemory(hostBytes)} of the host's memory${basis === "stated" ? ", as stated" : ""}`;
  const count = devices.length === 1 ? "1 device" : `${devices.length} devices, each`;
  const taken = formatMemory(Math.max(...devices.map(({ takenBytes }) => takenBytes)));
  if (basis === "whole") return `${devices.length === 1 ? "1 device" : `${devices.length} devices`}, whole`;
  if (basis === "stated") return `${count} ${taken}, as stated`;
  const most = (part: "weightsBytes" | "cacheBytes" | "otherBytes") =>
    formatMemory(Math.max(...devices.map((device) => device[part])));
  return `${count} ${taken}: weights ${most("weightsBytes")}, cache ${most("cacheBytes")}, other ${most("otherBytes")}`;
}
