/** What a subordinate claims of its host: its ports and its devices, while it is there. */
import { alreadyClaimed, describeClaimed, isSameHolder, roomAmong, type Holder } from "../host/claim-conflict.js";
import { claimsOf, findRivals, findUnclaimed, releaseClaims, takeClaims, type ClaimPlace } from "../host/claims.js";
import { listEntries } from "../host/journal.js";
import { deviceShare } from "../planner/device-share.js";
import { subordinateHolder } from "../planner/subordinate-name.js";
import type { HostClaim } from "../schema/facts.js";
import { instanceFolder } from "./instance-files.js";
import type { Context, Operation } from "./kind.js";
import type { SubordinateInputs } from "./subordinate-inputs.js";
import { readSubordinate } from "./subordinate-record.js";

export function claimedBy(inputs: SubordinateInputs): HostClaim[] {
  const { owner, instance, host, port, serverPort, devices, memory } = inputs;
  const holder = { owner, instance: subordinateHolder(instance, host.name) };
  const slots = serverPort === undefined ? [] : [serverPort];
  return claimsOf(holder, { port, slots, devices, deviceBytes: deviceShare(memory) });
}

/** @throws BerthError `already-claimed` for what another has */
export async function claimSubordinate(
  context: Context,
  operation: Operation,
  inputs: SubordinateInputs,
): Promise<void> {
  const { host, reference, clock } = context;
  const accelerators = inputs.devices === undefined ? [] : (await context.facts()).accelerators;
  const place: ClaimPlace = { host, dataDir: reference.dataDir, now: clock.now(), roomOf: roomAmong(accelerators) };
  const wanted = claimedBy(inputs);
  const [conflict] = await findRivals(place, wanted);
  if (conflict !== undefined) throw alreadyClaimed(`host ${host.name}: ${inputs.name}`, conflict);
  const missing = await findUnclaimed(place, wanted);
  if (missing.length === 0) return;
  const things = missing.map(describeClaimed).join(", ");
  await operation.step(`claim ${things}`, () => takeClaims({ ...place, seen: operation.seenClaims }, missing));
}

/** Gives back what is claimed under its name, but for what it wants still, and what those have that stand beside it. */
export async function releaseOthers(
  { host, reference }: Context,
  operation: Operation,
  { owner, name }: { readonly owner: string; readonly name: string },
  wanted: readonly HostClaim[],
): Promise<void> {
  const { dataDir } = reference;
  const holder: Holder = { owner, instance: name.slice(0, name.lastIndexOf(".")) };
  const entries = await listEntries(host, dataDir);
  const beside = entries.filter(
    (entry) =>
      entry.kind === "Subordinate" &&
      entry.owner === owner &&
      entry.name !== name &&
      entry.name.startsWith(`${holder.instance}.`),
  );
  const records = await Promise.all(
    beside.map((entry) => readSubordinate(host, instanceFolder(dataDir, owner, entry.name))),
  );
  const kept = [...wanted, ...records.flatMap((record) => record?.claims ?? [])];
  const claims = { host, dataDir, seen: operation.seenClaims };
  await releaseClaims(claims, (other) => isSameHolder(other, holder), kept);
}
