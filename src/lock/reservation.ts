import { posix } from "node:path";

import { alreadyClaimed, describeClaimed, roomAmong, type ClaimConflict } from "../host/claim-conflict.js";
import { reserveClaims } from "../host/claims.js";
import { findForeign, isMarked } from "../host/own-folder.js";
import type { HostClaim } from "../schema/facts.js";
import { connectionOf } from "../schema/hosts.js";
import type { LockFile, PlacedHost } from "../schema/lock.js";
import type { LockEdges } from "./build.js";
import { currentLock, type CurrentLock, type CurrentLockOptions } from "./current.js";
import { claimsOn, type ClaimEdges } from "./host-claims.js";
import type { Project } from "./project.js";

/** Something that a lock gives to an instance and that another stack has. */
export interface Rivalry {
  readonly host: string;
  readonly conflict: ClaimConflict;
}

/** Claims on the hosts what a lock gives out; tells what others have of it. */
export type Reserve = (lock: LockFile) => Promise<readonly Rivalry[]>;

/** Each try moves away from what another stack had claimed by then. */
const mostTries = 10;

/**
 * The current lock, with its ports and devices claimed on the hosts. What another stack has claimed since the lock was
 * solved, as one that was solved at the same moment, has it solved anew.
 */
export async function reservedLock(
  project: Project,
  edges: LockEdges,
  options: CurrentLockOptions,
  reserve: Reserve,
): Promise<CurrentLock> {
  let current = await currentLock(project, edges, options);
  for (let tries = 1; ; tries += 1) {
    const [first] = await reserve(current.lock);
    if (first === undefined) return current;
    const { host, conflict } = first;
    if (tries === mostTries) throw alreadyClaimed(`host ${host}`, conflict);
    const [rival] = conflict.rivals;
    const reason = `${describeClaimed(rival)} of host ${host} belongs to ${rival.owner}, ${rival.instance}`;
    const { lock, path, outcome } = await currentLock(project, edges, { ...options, anew: true });
    current = { lock, path, outcome: outcome.kind === "kept" ? outcome : { ...outcome, reason } };
  }
}

/** Reserves on the real hosts, on all of them at once. */
export function createReserve({ openHost, root, owner, now }: ClaimEdges): Reserve {
  const reserveOn = async (name: string, placed: PlacedHost, claims: readonly HostClaim[]): Promise<Rivalry[]> => {
    const host = openHost({ name, ...connectionOf(placed) });
    const dataDir = posix.resolve(root, placed.dataDir);
    // What prepares a host comes before anything of Berth's there: it may mount the folder.
    const isUnprepared = placed.setup !== undefined && !(await isMarked(host, dataDir));
    if (isUnprepared || (await findForeign(host, dataDir)).length > 0) return [];
    const roomOf = roomAmong(placed.facts.accelerators);
    const conflicts = await reserveClaims({ host, dataDir, now: now(), roomOf }, claims);
    return conflicts.map((conflict) => ({ host: name, conflict }));
  };
  return async (lock) => {
    const rivalries = Object.entries(lock.placement.hosts).map(async ([name, placed]) => {
      const claims = claimsOn(name, lock, owner);
      // Each instance claims again when it is made. A host that does not answer, or refuses, says so there.
      return claims.length === 0 ? [] : reserveOn(name, placed, claims).catch((): Rivalry[] => []);
    });
    return (await Promise.all(rivalries)).flat();
  };
}
