import { posix } from "node:path";

import { roomAmong } from "../host/claim-conflict.js";
import { claimsOf, listClaims } from "../host/claims.js";
import type { OpenHost } from "../host/host.js";
import { deviceShare } from "../planner/device-share.js";
import { subordinateHolder } from "../planner/subordinate-name.js";
import type { HostClaims } from "../planner/succession.js";
import type { HostClaim } from "../schema/facts.js";
import { connectionOf } from "../schema/hosts.js";
import type { LockFile, PlacedSubordinate } from "../schema/lock.js";

/** All that a lock gives out of a host. */
export function claimsOn(host: string, { placement }: Pick<LockFile, "placement">, owner: string): HostClaim[] {
  return Object.entries(placement.instances).flatMap(([instance, { host: on, memory, subordinates = [], ...held }]) => {
    const own = on === host ? claimsOf({ owner, instance }, { ...held, deviceBytes: deviceShare(memory) }) : [];
    const others = subordinates.filter((each) => each.host === host);
    return [...own, ...others.flatMap((each) => claimsOfSubordinate(instance, each, owner))];
  });
}

function claimsOfSubordinate(
  instance: string,
  { host, port, serverPort, devices, memory }: PlacedSubordinate,
  owner: string,
): HostClaim[] {
  const slots = serverPort === undefined ? [] : [serverPort];
  const held = { port, slots, devices, deviceBytes: deviceShare(memory) };
  return claimsOf({ owner, instance: subordinateHolder(instance, host) }, held);
}

export interface ClaimEdges {
  readonly openHost: OpenHost;
  /** Folder of the project: what a relative data directory is below. */
  readonly root: string;
  /** Whose stack it is, as project/stack. */
  readonly owner: string;
  readonly now: () => Date;
}

/** What is claimed on each host now, beside what the lock gives out of it. A host that does not answer says nothing. */
export async function readHostClaims(
  lock: Pick<LockFile, "placement">,
  { openHost, root, owner, now }: ClaimEdges,
): Promise<HostClaims[]> {
  const read = Object.entries(lock.placement.hosts).map(async ([name, placed]): Promise<HostClaims[]> => {
    const wanted = claimsOn(name, lock, owner);
    if (wanted.length === 0) return [];
    const place = {
      host: openHost({ name, ...connectionOf(placed) }),
      dataDir: posix.resolve(root, placed.dataDir),
      now: now(),
    };
    const held = await listClaims(place).catch(() => []);
    return [{ held, wanted, roomOf: roomAmong(placed.facts.accelerators) }];
  });
  return (await Promise.all(read)).flat();
}
