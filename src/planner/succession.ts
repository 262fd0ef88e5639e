/** Which instances of a stack change before others, because they give up what those are to get. Pure. */
import { findConflict, isSameThing, type RoomOf } from "../host/claim-conflict.js";
import type { HostClaim } from "../schema/facts.js";

/** What is claimed on a host, and what the stack's instances are to have there. */
export interface HostClaims {
  /** Of all owners, as it is now. */
  readonly held: readonly HostClaim[];
  /** Of the stack's own instances, all that they are to have. */
  readonly wanted: readonly HostClaim[];
  readonly roomOf: RoomOf;
}

/** The names of instances, each with the one that it waits for. */
export type Succession = readonly (readonly [later: string, earlier: string])[];

/**
 * Whoever is to get what another instance of the stack has and will not keep waits for that. Those that are not among
 * the names are not the stack's any more, and nobody waits for them. Two that are to change places cannot wait for
 * each other: then one of them does not, and `findBlocked` finds it.
 *
 * @param names instances of the stack, those of earlier waves first, with the number of their wave
 */
export function findSuccession(names: ReadonlyMap<string, number>, hosts: readonly HostClaims[]): Succession {
  const found = hosts.flatMap(waitsOn).sort();
  const kept: [string, string][] = [];
  for (const [later, earlier] of found) {
    const [wave, waveBefore] = [names.get(later), names.get(earlier)];
    if (wave === undefined || waveBefore === undefined || waveBefore > wave) continue;
    if (kept.some(([a, b]) => a === later && b === earlier) || waits(earlier, later, kept)) continue;
    kept.push([later, earlier]);
  }
  return kept;
}

function waitsOn({ held, wanted, roomOf }: HostClaims): [string, string][] {
  const all = [...held, ...wanted];
  const isKept = (claim: HostClaim) => wanted.some((each) => isSameClaim(each, claim));
  const missing = wanted.filter((claim) => !held.some((each) => isSameClaim(each, claim)));
  return missing.flatMap((claim) => {
    const rivals = findConflict(claim, all, roomOf)?.rivals ?? [];
    const given = rivals.filter((rival) => rival.owner === claim.owner && !isKept(rival));
    return given.map(({ instance }): [string, string] => [claim.instance, instance]);
  });
}

/** Whether they are one instance's, of one thing, and as much of it. */
export function isSameClaim(a: HostClaim, b: HostClaim): boolean {
  const isWhose = a.owner === b.owner && a.instance === b.instance && isSameThing(a, b);
  return isWhose && ("port" in a || ("device" in b && a.bytes === b.bytes));
}

/** Whether one waits for another, or for one that does. */
export function waits(one: string, other: string, succession: Succession): boolean {
  return succession.some(
    ([later, earlier]) => later === one && (earlier === other || waits(earlier, other, succession)),
  );
}

/** The same things in an order in which nobody comes before whom it waits for; else as they were. */
export function inSuccession<T>(things: readonly T[], nameOf: (thing: T) => string, succession: Succession): T[] {
  const ordered = new Map<string, T>();
  const add = (thing: T) => {
    const name = nameOf(thing);
    if (ordered.has(name)) return;
    const before = succession.flatMap(([later, earlier]) => (later === name ? [earlier] : []));
    things.filter((each) => before.includes(nameOf(each))).forEach(add);
    ordered.set(name, thing);
  };
  things.forEach(add);
  return [...ordered.values()];
}
