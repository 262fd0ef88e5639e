/** What `berth status` tells of an instance's memory: what it uses beside what was estimated. */
import { compareMemory, summarizeMemory, type MemoryComparison } from "../health/used-memory.js";
import { formatMemory } from "../lib/format.js";
import { placedMemory, type PlacedMemory, usedMemory } from "../schema/placement.js";

export interface MemoryStatus {
  /** Where the expected figures come from; undefined where there are none. */
  readonly basis?: PlacedMemory["basis"] | undefined;
  /** When the runner was looked at. */
  readonly at: string;
  readonly places: readonly MemoryComparison[];
}

interface Properties {
  readonly memory?: unknown;
  readonly usedMemory?: unknown;
}

/**
 * @param outputs the instance's in the state
 * @param observed what was seen of it now, which is as current
 */
export function memoryStatus(outputs: Properties, observed: Properties): MemoryStatus | undefined {
  const used = usedMemory.safeParse(observed.usedMemory ?? outputs.usedMemory).data;
  if (used === undefined) return undefined;
  const expected = placedMemory.safeParse(outputs.memory).data;
  return { basis: expected?.basis, at: used.at, places: compareMemory(expected, used) };
}

/** `310.0 MiB of 322.0 MiB estimated (-4 %)`, `310.0 MiB`; `-` where nothing is known. */
export function formatMemoryStatus(status: MemoryStatus | undefined): string {
  const summary = summarizeMemory(status?.places ?? []);
  if (summary === undefined) return "-";
  const { usedBytes, expectedBytes, error } = summary;
  if (expectedBytes === undefined || error === undefined) return formatMemory(usedBytes);
  const word = status?.basis === "stated" ? "stated" : "estimated";
  return `${formatMemory(usedBytes)} of ${formatMemory(expectedBytes)} ${word} (${formatPercent(error)})`;
}

function formatPercent(part: number): string {
  const percent = Math.round(part * 100);
  return `${percent > 0 ? "+" : ""}${percent === 0 ? 0 : percent} %`;
}
