/**
 * What of a host only one can have: each port and device is claimed by one instance at most, of whatever stack. A claim
 * is a file that is created exclusively, so that a run can claim before it holds the host lock, and no two get one.
 * Claims are replaced and removed under the host lock alone.
 */
import { posix } from "node:path";

import { z } from "zod";

import { sha256 } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { hostClaim, type HostClaim } from "../schema/facts.js";
import type { Host } from "./host.js";
import { readEntry, type ResourceKey } from "./journal.js";
import { dataPaths } from "./paths.js";

/** How long a claim holds whose instance is not on the host yet. Large models are fetched in less. */
export const claimTtlSeconds = 24 * 3600;

const claimRecord = z.strictObject({
  schemaVersion: z.literal(1),
  claim: hostClaim,
  claimedAt: z.iso.datetime(),
});

type ClaimRecord = z.output<typeof claimRecord>;

/** Whose a claim is. */
export type Holder = Pick<HostClaim, "owner" | "instance">;

/** Where claims are, and the time. */
export interface ClaimPlace {
  readonly host: Host;
  readonly dataDir: string;
  readonly now: Date;
}

/**
 * Claims as one process has read them that holds the host lock. Until it gives the lock back nobody else replaces or
 * removes one, so each is read once, however many instances give theirs back.
 */
export class SeenClaims {
  readonly #records = new Map<string, Promise<ClaimRecord | undefined>>();

  /** Undefined for one that cannot be read: it is not known to be anybody's. */
  read(host: Host, path: string): Promise<ClaimRecord | undefined> {
    const known = this.#records.get(path) ?? readRecord(host, path).catch(unlessBerthError);
    this.#records.set(path, known);
    known.catch(() => this.#records.delete(path));
    return known;
  }

  /** What this process has written, or, without a record, removed. */
  note(path: string, record: ClaimRecord | undefined): void {
    if (record === undefined) this.#records.delete(path);
    else this.#records.set(path, Promise.resolve(record));
  }
}

/** Where claims are, while this process holds the host lock. */
export type HeldClaimPlace = Pick<ClaimPlace, "host" | "dataDir"> & { readonly seen: SeenClaims };

/** What the journal knows an instance by. */
export function instanceKey({ owner, instance }: Holder): ResourceKey {
  return { owner, kind: "Instance", name: instance, uses: `instances/${owner}/${instance}` };
}

/** All that an instance claims. */
export function claimsOf(
  holder: Holder,
  port: number,
  devices: readonly string[],
  slots: readonly number[] = [],
): HostClaim[] {
  const ports = [...new Set([port, ...slots])];
  return [...ports.map((each) => ({ port: each, ...holder })), ...devices.map((device) => ({ device, ...holder }))];
}

/** `port 14000`, `device GPU-5d1c...` */
export function describeClaimed(claim: HostClaim): string {
  return "port" in claim ? `port ${claim.port}` : `device ${claim.device}`;
}

/** Every claim that holds. */
export async function listClaims(place: ClaimPlace): Promise<HostClaim[]> {
  const records = await listRecords(place);
  const valid = await Promise.all(records.map((record) => holds(place, record)));
  return records.filter((_, index) => valid[index]).map(({ claim }) => claim);
}

/**
 * Claims what is free, without the host lock. Returns the claims of others that are in the way. What another instance
 * of the same owner has is left to them, and what somebody claimed once whose claim holds no more to
 * {@link takeClaims}.
 */
export async function reserveClaims(place: ClaimPlace, claims: readonly HostClaim[]): Promise<HostClaim[]> {
  const rivals = await Promise.all(claims.map((claim) => reserve(place, claim)));
  return rivals.filter((rival) => rival !== undefined);
}

async function reserve(place: ClaimPlace, claim: HostClaim): Promise<HostClaim | undefined> {
  const path = claimPath(place.dataDir, claim);
  const found = await readRecord(place.host, path);
  if (found === undefined) {
    if (await place.host.createFile(path, textOf(recordOf(claim, place.now)))) return undefined;
    return reserve(place, claim);
  }
  return found.claim.owner !== claim.owner && (await holds(place, found)) ? found.claim : undefined;
}

/** The claims of others, of whatever owner, that are in the way. */
export async function findRivals(place: ClaimPlace, claims: readonly HostClaim[]): Promise<HostClaim[]> {
  const found = await Promise.all(claims.map((claim) => findOther(place, claim)));
  return found.filter((record) => record !== undefined).map(({ claim }) => claim);
}

async function findOther(place: ClaimPlace, claim: HostClaim): Promise<ClaimRecord | undefined> {
  const found = await readRecord(place.host, claimPath(place.dataDir, claim));
  return found === undefined || isOf(found, claim) || !(await holds(place, found)) ? undefined : found;
}

/** Those of an instance's claims that it has to make yet. */
export async function findUnclaimed(place: ClaimPlace, claims: readonly HostClaim[]): Promise<HostClaim[]> {
  const records = await Promise.all(claims.map((claim) => readRecord(place.host, claimPath(place.dataDir, claim))));
  return claims.filter((claim, index) => {
    const record = records[index];
    return record === undefined || !isOf(record, claim);
  });
}

/** Claims, over claims that hold no more. The host lock has to be held, and {@link findRivals} to have found none. */
export async function takeClaims(place: ClaimPlace & HeldClaimPlace, claims: readonly HostClaim[]): Promise<void> {
  const { host, dataDir, now, seen } = place;
  for (const claim of claims) {
    const path = claimPath(dataDir, claim);
    const record = recordOf(claim, now);
    if (!(await host.createFile(path, textOf(record)))) {
      const [rival] = await findRivals(place, [claim]);
      // Somebody reserved it since it was looked at.
      if (rival !== undefined) throw alreadyClaimed(`host ${host.name}: ${claim.instance}`, claim.owner, rival);
      await host.writeFile(path, textOf(record), 0o600);
    }
    seen.note(path, record);
  }
}

/** Gives back what an instance claims, but for some. The host lock has to be held. */
export async function releaseClaims(
  { host, dataDir, seen }: HeldClaimPlace,
  isReleased: (holder: Holder) => boolean,
  kept: readonly HostClaim[] = [],
): Promise<void> {
  const keptPaths = new Set(kept.map((claim) => claimPath(dataDir, claim)));
  for (const path of await listPaths({ host, dataDir })) {
    const record = await seen.read(host, path);
    if (record === undefined || !isReleased(record.claim) || keptPaths.has(path)) continue;
    await host.remove(path);
    seen.note(path, undefined);
  }
}

/** What is refused to whoever wants what somebody else has. */
export function alreadyClaimed(where: string, owner: string, rival: HostClaim): BerthError {
  const thing = "port" in rival ? "port" : "device";
  return new BerthError("already-claimed", {
    where,
    what: `the ${thing} belongs to another instance`,
    got: `${describeClaimed(rival)} of ${rival.owner}, ${rival.instance}`,
    expected: `a ${thing} that nobody has`,
    hint: hintFor(rival, thing, owner),
  });
}

function hintFor(rival: HostClaim, thing: "port" | "device", owner: string): string {
  // Pulumi deletes what is not wanted any more after it has made what is new.
  if (rival.owner === owner)
    return `take ${rival.instance} away with one \`pulumi up\`, and give its ${thing} to another with the next`;
  return thing === "port"
    ? "run `berth lock`, which chooses another one; a `port` that the stack file names is changed there"
    : "choose another device, or take the other instance away first";
}

/** A claim holds while its instance is on the host, and for {@link claimTtlSeconds} after it was made. */
async function holds({ host, dataDir, now }: ClaimPlace, { claim, claimedAt }: ClaimRecord): Promise<boolean> {
  // One in the future, by a clock that was wrong, does not hold for ever.
  if (Math.abs(now.getTime() - Date.parse(claimedAt)) <= claimTtlSeconds * 1000) return true;
  return (await readEntry(host, dataDir, instanceKey(claim))) !== undefined;
}

function isOf({ claim }: ClaimRecord, { owner, instance }: Holder): boolean {
  return claim.owner === owner && claim.instance === instance;
}

function recordOf(claim: HostClaim, now: Date): ClaimRecord {
  return { schemaVersion: 1, claim, claimedAt: now.toISOString() };
}

function textOf(record: ClaimRecord): string {
  return `${JSON.stringify(record)}\n`;
}

/** A device's identity may hold anything. */
function claimPath(dataDir: string, claim: HostClaim): string {
  const name = "port" in claim ? `port-${claim.port}` : `device-${sha256(claim.device).slice(0, 16)}`;
  return posix.join(dataPaths(dataDir).claims, `${name}.json`);
}

async function listRecords({ host, dataDir }: Pick<ClaimPlace, "host" | "dataDir">): Promise<ClaimRecord[]> {
  const paths = await listPaths({ host, dataDir });
  const records = await Promise.all(paths.map((path) => readRecord(host, path)));
  return records.filter((record) => record !== undefined);
}

async function listPaths({ host, dataDir }: Pick<ClaimPlace, "host" | "dataDir">): Promise<string[]> {
  const folder = dataPaths(dataDir).claims;
  const names = (await host.list(folder)).filter((name) => name.endsWith(".json"));
  return names.map((name) => posix.join(folder, name));
}

function unlessBerthError(error: unknown): undefined {
  if (!(error instanceof BerthError)) throw error;
  return undefined;
}

async function readRecord(host: Host, path: string): Promise<ClaimRecord | undefined> {
  const text = await host.readText(path);
  if (text === undefined) return undefined;
  try {
    return claimRecord.parse(JSON.parse(text));
  } catch (error) {
    throw new BerthError("lock-incompatible", {
      where: `host ${host.name}: ${path}`,
      what: "this claim was not written by this version of Berth",
      hint: "run it with the version that wrote it, or look at the file and delete it if it is broken",
      cause: error,
    });
  }
}
