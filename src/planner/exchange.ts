/**
 * Instances that would have to go before each other: two that change places, or one whose place is given up in a later
 * wave. One of them would have to stop with nothing to come back to when it fails, so nothing is begun. Pure.
 */
import { describeClaimed, findConflict } from "../host/claim-conflict.js";
import { BerthError } from "../lib/errors.js";
import type { HostClaim } from "../schema/facts.js";
import { isSameClaim, waits, type HostClaims, type Succession } from "./succession.js";

/** An instance that is to get what another gives up only after it. */
export interface Blocked {
  readonly wanted: HostClaim;
  /** What is in its way. */
  readonly rival: HostClaim;
}

/**
 * Those for whom there is no room when their turn comes, whatever else was done before.
 *
 * @param names as for `findSuccession`, which gave the succession
 */
export function findBlocked(
  names: ReadonlyMap<string, number>,
  hosts: readonly HostClaims[],
  succession: Succession,
): Blocked[] {
  return hosts.flatMap(({ held, wanted, roomOf }) => {
    const isKept = (claim: HostClaim) => wanted.some((each) => isSameClaim(each, claim));
    const missing = wanted.filter((claim) => !held.some((each) => isSameClaim(each, claim)));
    return missing.flatMap((claim): Blocked[] => {
      const isLater = (other: HostClaim) =>
        other.owner === claim.owner && !isKept(other) && comesAfter(other.instance, claim.instance);
      const stays = held.filter((other) => isKept(other) || other.owner !== claim.owner);
      if (findConflict(claim, stays, roomOf) !== undefined) return [];
      const rival = findConflict(claim, [...stays, ...held.filter(isLater)], roomOf)?.rivals.find(isLater);
      return rival === undefined ? [] : [{ wanted: claim, rival }];
    });
  });

  function comesAfter(other: string, one: string): boolean {
    const [wave, otherWave] = [names.get(one), names.get(other)];
    if (wave === undefined || otherWave === undefined) return false;
    return otherWave > wave || waits(other, one, succession);
  }
}

/** `chat-0 is to get device GPU-a, which code-0 gives up only after it` */
export function describeBlocked({ wanted, rival }: Blocked): string {
  const [thing, given] = [describeClaimed(wanted), describeClaimed(rival)];
  const what = thing === given ? "which" : `and ${given}, which is in its way,`;
  return `${wanted.instance} is to get ${thing}, ${what} ${rival.instance} gives up only after it`;
}

/** The edit that gets there in two steps. */
export function twoSteps({ rival }: Blocked): string {
  const deployment = rival.instance.replace(/-\d+$/, "");
  return `take ${deployment} out of the stack file and run \`pulumi up\`, which gives away what it has; then put it back as it is to be, and run \`pulumi up\` again. Or give one of them a place that is free, and the other its own with the next run`;
}

/** @throws BerthError `already-claimed` where one is blocked, before anything was touched */
export function assertNoneBlocked(blocked: readonly Blocked[]): void {
  const [first] = blocked;
  if (first === undefined) return;
  throw new BerthError("already-claimed", {
    where: `instance ${first.wanted.instance}`,
    what: "instances are to change places, which no single run can do without leaving one of them nowhere to come back to",
    got: blocked.map(describeBlocked).join("; "),
    expected: "places that are free, or given up before",
    hint: twoSteps(first),
  });
}
