/** What an instance has of its devices: parts of their memory, or all of it. Pure. */
import type { PlacedMemory } from "../schema/placement.js";

/**
 * By device the memory that is an instance's own, bytes. Undefined where nothing is known of what it needs: then it has
 * its devices alone.
 */
export function deviceShare(memory: PlacedMemory | undefined): Readonly<Record<string, number>> | undefined {
  if (memory === undefined || memory.basis === "whole") return undefined;
  // A device of which nothing is counted as taken is shared too.
  return Object.fromEntries(memory.devices.map(({ device, takenBytes }) => [device, Math.max(1, takenBytes)]));
}
