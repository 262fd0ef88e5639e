/** Which claims cannot hold beside each other, and what is said of it. Pure. */
import { BerthError } from "../lib/errors.js";
import { formatMemory } from "../lib/format.js";
import type { Accelerator, HostClaim } from "../schema/facts.js";

/** Whose a claim is. */
export type Holder = Pick<HostClaim, "owner" | "instance">;

/** The memory of a device that instances can have, bytes; undefined where it is not known, and nothing is too much. */
export type RoomOf = (device: string) => number | undefined;

/** All the memory of a host's accelerators, and of their MIG devices. */
export function roomAmong(accelerators: readonly Accelerator[]): RoomOf {
  const parts = accelerators.flatMap(({ uuid, memoryBytes, mig }) => [{ uuid, memoryBytes }, ...(mig?.devices ?? [])]);
  // A tool that does not tell is written as 0.
  const known = new Map(parts.flatMap(({ uuid, memoryBytes }) => (memoryBytes > 0 ? [[uuid, memoryBytes]] : [])));
  return (device) => known.get(device);
}

/** A claim that cannot be made, and the claims of others that are in its way. */
export interface ClaimConflict {
  readonly wanted: HostClaim;
  readonly rivals: readonly [HostClaim, ...HostClaim[]];
  /** Where parts of a device are too much together: all that there is. */
  readonly roomBytes?: number;
}

type DeviceClaim = Extract<HostClaim, { device: string }>;

export function isSameHolder(a: Holder, b: Holder): boolean {
  return a.owner === b.owner && a.instance === b.instance;
}

/** Whose a claim is in the end: what an instance has on another host than its primary's it claims as INSTANCE.HOST. */
export function replicaOf({ owner, instance }: Holder): Holder {
  const [name = ""] = instance.split(".");
  return { owner, instance: name };
}

/** Whether they are one instance, or parts of one. */
export function isSameReplica(a: Holder, b: Holder): boolean {
  return isSameHolder(replicaOf(a), replicaOf(b));
}

export function isSameThing(a: HostClaim, b: HostClaim): boolean {
  if ("port" in a) return "port" in b && a.port === b.port;
  return "device" in b && a.device === b.device;
}

/** `port 14000`, `device GPU-5d1c...`, `20480.0 MiB of device GPU-5d1c...` */
export function describeClaimed(claim: HostClaim): string {
  if ("port" in claim) return `port ${claim.port}`;
  const part = claim.bytes === undefined ? "" : `${formatMemory(claim.bytes)} of `;
  return `${part}device ${claim.device}`;
}

/**
 * One claim for each holder and thing: the whole of a device before a part of it, and a greater part before a smaller
 * one. Whoever changes has several for a while, and the greatest is all that it needs. So has an instance whose primary
 * and subordinate change places: one gives the device to the other.
 */
export function mergeClaims(claims: readonly HostClaim[]): HostClaim[] {
  const merged = new Map<string, HostClaim>();
  for (const claim of claims) {
    const [thing, { instance }] = "port" in claim ? [claim.port, claim] : [claim.device, replicaOf(claim)];
    const key = JSON.stringify([thing, claim.owner, instance]);
    const known = merged.get(key);
    if (known === undefined || extent(claim) > extent(known)) merged.set(key, claim);
  }
  return [...merged.values()];
}

/**
 * What is in the way of a claim among those of others: anything on a port or a whole device, the whole device of
 * another, or parts that leave too little. What its own holder has is never in its way.
 *
 * @param isOwn whether one claim's holder is the other's own
 */
export function findConflict(
  wanted: HostClaim,
  claims: readonly HostClaim[],
  roomOf: RoomOf,
  isOwn = isSameHolder,
): ClaimConflict | undefined {
  const [first, ...rest] = mergeClaims(claims.filter((claim) => isSameThing(claim, wanted) && !isOwn(claim, wanted)));
  if (first === undefined) return undefined;
  const rivals = [first, ...rest] as const;
  if (!isPart(wanted)) return { wanted, rivals };
  const whole = rivals.find((claim) => !isPart(claim));
  if (whole !== undefined) return { wanted, rivals: [whole] };
  const roomBytes = roomOf(wanted.device);
  if (roomBytes === undefined || takenBytes([wanted, ...rivals]) <= roomBytes) return undefined;
  return { wanted, rivals, roomBytes };
}

/** What is refused to whoever wants what somebody else has. */
export function alreadyClaimed(where: string, { wanted, rivals, roomBytes }: ClaimConflict): BerthError {
  const [rival] = rivals;
  const owners = rivals.map((each) => `${describeClaimed(each)} of ${each.owner}, ${each.instance}`).join("; ");
  if (roomBytes !== undefined && isPart(wanted)) {
    const free = Math.max(0, roomBytes - takenBytes(rivals));
    return new BerthError("already-claimed", {
      where,
      what: "others have so much of the device's memory that too little is left",
      got: `${formatMemory(free)} free of ${formatMemory(roomBytes)}: ${owners}`,
      expected: `${formatMemory(wanted.bytes)} of device ${wanted.device}`,
      hint: "choose another device, let the instance need less, or take another one away first",
    });
  }
  const thing = "port" in rival ? "port" : "device";
  return new BerthError("already-claimed", {
    where,
    what: `the ${thing} belongs to another instance`,
    got: owners,
    expected: isPart(wanted) ? `a ${thing} that nobody has whole` : `a ${thing} that nobody has`,
    hint: hintFor(rival, thing, wanted.owner),
  });
}

function hintFor(rival: HostClaim, thing: "port" | "device", owner: string): string {
  // What gives it up in the same run does so before, unless the two change places.
  if (rival.owner === owner)
    return `take ${rival.instance} away with one \`pulumi up\`, and give its ${thing} to another with the next`;
  return thing === "port"
    ? "run `berth lock`, which chooses another one; a `port` that the stack file names is changed there"
    : "choose another device, or take the other instance away first";
}

export function isPart(claim: HostClaim): claim is DeviceClaim & { bytes: number } {
  return "device" in claim && claim.bytes !== undefined;
}

function takenBytes(claims: readonly HostClaim[]): number {
  return claims.reduce((sum, claim) => sum + (isPart(claim) ? claim.bytes : 0), 0);
}

function extent(claim: HostClaim): number {
  return isPart(claim) ? claim.bytes : Infinity;
}
