/** What an instance claims of its host: its port and its devices, while it is there. */
import {
  claimsOf,
  describeClaimed,
  findUnclaimed,
  releaseClaims,
  takeClaims,
  type ClaimPlace,
  type Holder,
} from "../host/claims.js";
import type { HostClaim } from "../schema/facts.js";
import { readRecord } from "./instance-files.js";
import type { InstanceWork } from "./instance-steps.js";
import type { Operation } from "./kind.js";
import { isEngineGone } from "./operation.js";

export function isHolder({ owner, instance }: Holder): (holder: Holder) => boolean {
  return (holder) => holder.owner === owner && holder.instance === instance;
}

export function claimPlace({ context }: Pick<InstanceWork, "context">): ClaimPlace {
  return { host: context.host, dataDir: context.reference.dataDir, now: context.clock.now() };
}

/** What the inputs ask for. */
export function wantedClaims({ inputs }: Pick<InstanceWork, "inputs">): HostClaim[] {
  return claimsOf(holderOf(inputs), inputs.port, inputs.devices ?? [], inputs.slots);
}

/** Claims what the inputs ask for, if that was not done before the operation began. */
export async function claimWanted(work: InstanceWork, operation: Operation): Promise<void> {
  const missing = await findUnclaimed(claimPlace(work), wantedClaims(work));
  if (missing.length === 0) return;
  const things = missing.map(describeClaimed).join(", ");
  const place = { ...claimPlace(work), seen: operation.seenClaims };
  await operation.step(`claim ${things}`, () => takeClaims(place, missing));
}

/**
 * Runs a change of an instance. Afterwards it claims what it has, and no more: what the inputs ask for, or, when the
 * change failed, what is recorded of the runner that was there before.
 */
export async function keepClaims(work: InstanceWork, operation: Operation, change: () => Promise<void>): Promise<void> {
  const giveBack = (kept: readonly HostClaim[]) =>
    releaseClaims({ ...claimPlace(work), seen: operation.seenClaims }, isHolder(holderOf(work.inputs)), kept);
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
  const { target, devices = [], ports = {} } = (await readRecord(context.host, folder)) ?? {};
  return target === undefined ? [] : claimsOf(holderOf(inputs), target.port, devices, Object.values(ports));
}

function holderOf({ owner, name }: Pick<InstanceWork["inputs"], "owner" | "name">): Holder {
  return { owner, instance: name };
}
