/**
 * What of a host instances have, of whatever stack: each port is claimed by one at most, and so is each device, unless
 * all who have it claim parts of its memory that fit beside each other. A claim is a file, so that a run can claim
 * before it holds the host lock. A port's, and a whole device's, is created exclusively. Whoever claims of a device
 * looks again afterwards, and gives back what others were there for: of two that see each other at least one goes, and
 * whoever came later has seen the other. Claims of others are replaced and removed under the host lock alone.
 */
import type { HostClaim } from "../schema/facts.js";
import {
  alreadyClaimed,
  findConflict,
  isSameHolder,
  isSameReplica,
  isSameThing,
  mergeClaims,
  type ClaimConflict,
  type Holder,
  type RoomOf,
} from "./claim-conflict.js";
import {
  claimPath,
  listClaimPaths,
  readAll,
  readClaimsOn,
  recordOf,
  textOf,
  type ClaimFolder,
  type ClaimRecord,
  type SeenClaims,
} from "./claim-files.js";
import { listEntries, readEntry, type JournalEntry, type ResourceKey } from "./journal.js";

/** How long a claim holds whose instance is not on the host yet. Large models are fetched in less. */
export const claimTtlSeconds = 24 * 3600;

type EntryName = Pick<JournalEntry, "owner" | "kind" | "name">;

/** Where claims are, the time, and how much there is to claim. */
export interface ClaimPlace extends ClaimFolder {
  readonly now: Date;
  readonly roomOf: RoomOf;
}

/** Where claims are, while this process holds the host lock. */
export interface HeldClaimPlace extends ClaimFolder {
  readonly seen: SeenClaims;
}

/** What the journal knows an instance by. */
export function instanceKey({ owner, instance }: Holder): ResourceKey {
  return { owner, kind: "Instance", name: instance, uses: `instances/${owner}/${instance}` };
}

/** Whether an entry is of a subordinate of an instance, or of those that claim as INSTANCE.HOST. */
export function isSubordinateOf({ owner, kind, name }: EntryName, holder: Holder): boolean {
  return kind === "Subordinate" && owner === holder.owner && name.startsWith(`${holder.instance}.`);
}

/** Whether what claims under a name is there by a resource: an instance by its own, INSTANCE.HOST by subordinates. */
export function isEntryOf(entry: EntryName, holder: Holder): boolean {
  if (holder.instance.includes(".")) return isSubordinateOf(entry, holder);
  return entry.kind === "Instance" && isSameHolder({ owner: entry.owner, instance: entry.name }, holder);
}

/** What an instance has of its host. */
export interface Held {
  readonly port: number;
  /** Its other ports. */
  readonly slots?: readonly number[] | undefined;
  readonly devices?: readonly string[] | undefined;
  /** By device the memory that is its own; it has the others whole. */
  readonly deviceBytes?: Readonly<Record<string, number>> | undefined;
}

/** All that an instance claims. */
export function claimsOf(holder: Holder, { port, slots = [], devices = [], deviceBytes = {} }: Held): HostClaim[] {
  const ports = [...new Set([port, ...slots])];
  const ofDevices = devices.map((device): HostClaim => {
    const bytes = Object.hasOwn(deviceBytes, device) ? deviceBytes[device] : undefined;
    return bytes === undefined ? { device, ...holder } : { device, bytes, ...holder };
  });
  return [...ports.map((each) => ({ port: each, ...holder })), ...ofDevices];
}

/** Every claim that holds. */
export async function listClaims(place: Omit<ClaimPlace, "roomOf">): Promise<HostClaim[]> {
  return mergeClaims(await holdingAmong(place, await readAll(place, await listClaimPaths(place))));
}

/**
 * Claims what is free, without the host lock. Returns what others have that is in the way. What another instance
 * of the same owner has is left to them, and what somebody claimed once whose claim holds no more to
 * {@link takeClaims}.
 */
export async function reserveClaims(place: ClaimPlace, claims: readonly HostClaim[]): Promise<ClaimConflict[]> {
  const { host, dataDir, now } = place;
  const before = await readClaimsOn(place, claims);
  const missing = claims.filter((claim) => !before.some((record) => isRecordOf(record, claim)));
  const first = await weigh(place, missing, before);
  const created = await Promise.all(
    first.free.map((claim) => host.createFile(claimPath(dataDir, claim), textOf(recordOf(claim, now)))),
  );
  // A port that was created is one's own; others may have come to a device by another file.
  const open = first.free.filter((claim, index) => "device" in claim || created[index] !== true);
  if (open.length === 0) return first.conflicts;
  const after = await readClaimsOn(place, open);
  const second = await weigh(place, open, after);
  const isCreated = (claim: HostClaim) => created[first.free.indexOf(claim)] === true;
  const givenBack = open.filter((claim) => isCreated(claim) && !second.free.includes(claim));
  await Promise.all(givenBack.map((claim) => host.remove(claimPath(dataDir, claim))));
  // What was in the way is not any more.
  const again = second.free.filter((claim) => !after.some((record) => isRecordOf(record, claim)));
  const rest = again.length === 0 ? [] : await reserveClaims(place, again);
  return [...first.conflicts, ...second.conflicts, ...rest];
}

/** Which claims nobody is in the way of, and what other owners have that is in the way of the rest. */
async function weigh(place: ClaimPlace, claims: readonly HostClaim[], records: readonly ClaimRecord[]) {
  const all = records.map(({ claim }) => claim);
  const holding = await holdingAmong(place, records);
  const free = claims.filter((claim) => findConflict(claim, all, place.roomOf) === undefined);
  const conflicts = claims.flatMap((claim) => {
    const others = holding.filter(({ owner }) => owner !== claim.owner);
    return findConflict(claim, others, place.roomOf) ?? [];
  });
  return { free, conflicts };
}

/**
 * What others, of whatever owner, have that is in the way. A device goes from one part of an instance to another while
 * both claim it; a port is one part's alone.
 *
 * @param isLeaving who goes before
 */
export async function findRivals(
  place: ClaimPlace,
  claims: readonly HostClaim[],
  isLeaving: (holder: Holder) => boolean = () => false,
): Promise<ClaimConflict[]> {
  const all = await holdingAmong(place, await readClaimsOn(place, claims));
  const holding = all.filter((claim) => !isLeaving(claim));
  return claims.flatMap((claim) => {
    const isOwn = "device" in claim ? isSameReplica : isSameHolder;
    return findConflict(claim, holding, place.roomOf, isOwn) ?? [];
  });
}

/** Those of an instance's claims that it has to make yet. */
export async function findUnclaimed(place: ClaimFolder, claims: readonly HostClaim[]): Promise<HostClaim[]> {
  const records = await readClaimsOn(place, claims);
  return claims.filter((claim) => !records.some((record) => isRecordOf(record, claim)));
}

/**
 * Claims, over claims that hold no more. The host lock has to be held, and {@link findRivals} to have found none.
 *
 * @throws BerthError `already-claimed` for what somebody reserved since
 */
export async function takeClaims(place: ClaimPlace & HeldClaimPlace, claims: readonly HostClaim[]): Promise<void> {
  for (const claim of claims) await take(place, claim);
}

async function take(place: ClaimPlace & HeldClaimPlace, claim: HostClaim): Promise<void> {
  const { host, dataDir, now, seen } = place;
  const path = claimPath(dataDir, claim);
  const record = recordOf(claim, now);
  if ("device" in claim) await removeExpired(place, claim);
  const isCreated = await host.createFile(path, textOf(record));
  if (!isCreated || "device" in claim) {
    const [conflict] = await findRivals(place, [claim]);
    if (conflict !== undefined) {
      if (isCreated) await host.remove(path);
      throw alreadyClaimed(`host ${host.name}: ${claim.instance}`, conflict);
    }
  }
  if (!isCreated) {
    // Somebody who had come to it has given it back.
    if ((await host.readText(path)) === undefined) return take(place, claim);
    await host.writeFile(path, textOf(record), 0o600);
  }
  seen.note(path, record);
}

/** A part of a device would stay beside what takes its place. */
async function removeExpired(place: ClaimPlace & HeldClaimPlace, wanted: HostClaim): Promise<void> {
  const { host, dataDir, seen } = place;
  for (const record of await readClaimsOn(place, [wanted])) {
    if (isSameHolder(record.claim, wanted) || (await holds(place, record))) continue;
    const path = claimPath(dataDir, record.claim);
    await host.remove(path);
    seen.note(path, undefined);
  }
}

/** Gives back what an instance claims, but for some. The host lock has to be held. */
export async function releaseClaims(
  { host, dataDir, seen }: HeldClaimPlace,
  isReleased: (holder: Holder) => boolean,
  kept: readonly HostClaim[] = [],
): Promise<void> {
  const keptPaths = new Set(kept.map((claim) => claimPath(dataDir, claim)));
  for (const path of await listClaimPaths({ host, dataDir })) {
    const record = await seen.read(host, path);
    if (record === undefined || !isReleased(record.claim) || keptPaths.has(path)) continue;
    await host.remove(path);
    seen.note(path, undefined);
  }
}

type Now = Omit<ClaimPlace, "roomOf">;

async function holdingAmong(place: Now, records: readonly ClaimRecord[]): Promise<HostClaim[]> {
  const valid = await Promise.all(records.map((record) => holds(place, record)));
  return records.filter((_, index) => valid[index]).map(({ claim }) => claim);
}

/** A claim holds while its instance is on the host, and for {@link claimTtlSeconds} after it was made. */
async function holds({ host, dataDir, now }: Now, { claim, claimedAt }: ClaimRecord): Promise<boolean> {
  // One in the future, by a clock that was wrong, does not hold for ever.
  if (Math.abs(now.getTime() - Date.parse(claimedAt)) <= claimTtlSeconds * 1000) return true;
  // The entry of an instance is found by its name, so nothing else is read.
  if (!claim.instance.includes(".")) return (await readEntry(host, dataDir, instanceKey(claim))) !== undefined;
  return (await listEntries(host, dataDir)).some((entry) => isEntryOf(entry, claim));
}

/** Whether a record is of this very claim. */
function isRecordOf({ claim }: ClaimRecord, wanted: HostClaim): boolean {
  if (!isSameThing(claim, wanted) || !isSameHolder(claim, wanted)) return false;
  return "port" in claim || ("device" in wanted && claim.bytes === wanted.bytes);
}
