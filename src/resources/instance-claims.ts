/** What an instance claims of its host: its port and its devices, while it is there. */
import { describeClaimed, isPart, isSameHolder, roomAmong, type Holder } from "../host/claim-conflict.js";
import { claimsOf, findUnclaimed, releaseClaims, takeClaims, type ClaimPlace } from "../host/claims.js";
import { deviceShare } from "../planner/device-share.js";
import type { HostClaim } from "../schema/facts.js";
import { readRecord } from "./instance-files.js";
import { endingBefore } from "./instance-plan.js";
import type { InstanceWork } from "./instance-steps.js";
import type { Operation } from "./kind.js";
import { isEngineGone } from "./operation.js";

function isHolder(holder: Holder): (other: Holder) => boolean {
  return (other) => isSameHolder(other, holder);
}

export async function claimPlace({ context, inputs }: Pick<InstanceWork, "context" | "inputs">): Promise<ClaimPlace> {
  // Without devices nothing is asked of the host.
  const accelerators = inputs.devices === undefined ? [] : (await context.facts()).accelerators;
  const { host, reference, clock } = context;
  return { host, dataDir: reference.dataDir, now: clock.now(), roomOf: roomAmong(accelerators) };
}

/** What the inputs ask for. */
export function wantedClaims({ inputs }: Pick<InstanceWork, "inputs">): HostClaim[] {
  return claimsOf(holderOf(inputs), { ...inputs, deviceBytes: deviceShare(inputs.memory) });
}

/**
 * What the inputs ask for, and while an update has two runners on a part of a device, what both have of it: the one
 * that serves goes on with what it was given.
 */
export function neededClaims(work: InstanceWork): HostClaim[] {
  const { desired, seen, port, record, inputs } = work;
  const wanted = wantedClaims(work);
  const ending = endingBefore(desired, seen, port);
  const isBeside = seen.generations.some(({ generation, running }) => running && ending?.has(generation) === false);
  if (!isBeside) return wanted;
  const before = claimsOf(holderOf(inputs), { ...record, port: inputs.port }).filter(isPart);
  const both = wanted.filter(isPart).flatMap((claim) => {
    const { bytes = 0 } = before.find(({ device }) => device === claim.device) ?? {};
    return bytes === 0 ? [] : [{ ...claim, bytes: claim.bytes + bytes }];
  });
  return [...wanted, ...both];
}

/** Claims what is needed, if that was not done before the operation began. */
export async function claimWanted(work: InstanceWork, operation: Operation): Promise<void> {
  const place = await claimPlace(work);
  const missing = await findUnclaimed(place, neededClaims(work));
  if (missing.length === 0) return;
  const things = missing.map(describeClaimed).join(", ");
  await operation.step(`claim ${things}`, () => takeClaims({ ...place, seen: operation.seenClaims }, missing));
}

/**
 * Runs a change of an instance. Afterwards it claims what it has, and no more: what the inputs ask for, or, when the
 * change failed, what is recorded of the runner that was there before.
 */
export async function keepClaims(work: InstanceWork, operation: Operation, change: () => Promise<void>): Promise<void> {
  const { host, reference } = work.context;
  const claims = { host, dataDir: reference.dataDir, seen: operation.seenClaims };
  const giveBack = (kept: readonly HostClaim[]) => releaseClaims(claims, isHolder(holderOf(work.inputs)), kept);
  try {
    await change();
  } catch (error) {
    if (!isEngineGone(error) && !work.context.gone.aborted)
      await recordedClaims(work)
        .then(giveBack)
        .catch(() => undefined);
    throw error;
  }
  await giveBack(wantedClaims(work));
}

async function recordedClaims({ context, inputs, folder }: InstanceWork): Promise<HostClaim[]> {
  const { target, ports = {}, ...record } = (await readRecord(context.host, folder)) ?? {};
  if (target === undefined) return [];
  return claimsOf(holderOf(inputs), { ...record, port: target.port, slots: Object.values(ports) });
}

function holderOf({ owner, name }: Pick<InstanceWork["inputs"], "owner" | "name">): Holder {
  return { owner, instance: name };
}
