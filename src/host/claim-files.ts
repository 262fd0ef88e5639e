/**
 * The files that claims are. A port and a whole device have one file, which is created exclusively; a part of a device's
 * memory has one for each who has it, and for each size.
 */
import { posix } from "node:path";

import { z } from "zod";

import { sha256 } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { hostClaim, type HostClaim } from "../schema/facts.js";
import { isPart } from "./claim-conflict.js";
import type { Host } from "./host.js";
import { dataPaths } from "./paths.js";

const claimRecord = z.strictObject({
  schemaVersion: z.literal(1),
  claim: hostClaim,
  claimedAt: z.iso.datetime(),
});

export type ClaimRecord = z.output<typeof claimRecord>;

/** Where claims are. */
export interface ClaimFolder {
  readonly host: Host;
  readonly dataDir: string;
}

/**
 * Claims as one process has read them that holds the host lock. Until it gives the lock back nobody else replaces or
 * removes one that another made, so each is read once, however many instances give theirs back.
 */
export class SeenClaims {
  readonly #records = new Map<string, Promise<ClaimRecord | undefined>>();

  /** Undefined for one that cannot be read: it is not known to be anybody's. */
  read(host: Host, path: string): Promise<ClaimRecord | undefined> {
    const known = this.#records.get(path) ?? readClaim(host, path).catch(unlessBerthError);
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

/** A device's identity, and an owner's name, may hold anything. */
export function claimPath(dataDir: string, claim: HostClaim): string {
  return posix.join(dataPaths(dataDir).claims, `${nameOf(claim)}.json`);
}

function nameOf(claim: HostClaim): string {
  if ("port" in claim) return `port-${claim.port}`;
  if (!isPart(claim)) return deviceName(claim.device);
  const holder = sha256(JSON.stringify([claim.owner, claim.instance])).slice(0, 16);
  return `${deviceName(claim.device)}.${holder}-${claim.bytes}`;
}

function deviceName(device: string): string {
  return `device-${sha256(device).slice(0, 16)}`;
}

export function recordOf(claim: HostClaim, now: Date): ClaimRecord {
  return { schemaVersion: 1, claim, claimedAt: now.toISOString() };
}

export function textOf(record: ClaimRecord): string {
  return `${JSON.stringify(record)}\n`;
}

/** Every claim's file. */
export async function listClaimPaths({ host, dataDir }: ClaimFolder): Promise<string[]> {
  const folder = dataPaths(dataDir).claims;
  const names = (await host.list(folder)).filter((name) => name.endsWith(".json"));
  return names.map((name) => posix.join(folder, name));
}

/** All that is claimed of some ports and devices, whether it holds or not. */
export async function readClaimsOn(place: ClaimFolder, wanted: readonly HostClaim[]): Promise<ClaimRecord[]> {
  const ports = wanted.filter((claim) => "port" in claim).map((claim) => claimPath(place.dataDir, claim));
  const names = new Set(wanted.flatMap((claim) => ("device" in claim ? [deviceName(claim.device)] : [])));
  // Only devices have files of which the name is not known.
  const listed = names.size === 0 ? [] : await listClaimPaths(place);
  const devices = listed.filter((path) => names.has(posix.basename(path).replace(/\..*$/, "")));
  return readAll(place, [...new Set([...ports, ...devices])]);
}

export async function readAll({ host }: ClaimFolder, paths: readonly string[]): Promise<ClaimRecord[]> {
  const records = await Promise.all(paths.map((path) => readClaim(host, path)));
  return records.filter((record) => record !== undefined);
}

async function readClaim(host: Host, path: string): Promise<ClaimRecord | undefined> {
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

function unlessBerthError(error: unknown): undefined {
  if (!(error instanceof BerthError)) throw error;
  return undefined;
}
