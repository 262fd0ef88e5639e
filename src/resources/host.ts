/**
 * A host: its data directory, and the promise that nothing of this stack stays on it that nobody knows of.
 *
 * An interrupted run can leave things on a host that Pulumi's state has never heard of. The host's `inventory` names
 * all that the stack wants there, so what is neither in it nor in the state is found and removed.
 */
import { posix } from "node:path";

import { z } from "zod";

import type { SharedFacts } from "../host/facts.js";
import type { Holder } from "../host/claim-conflict.js";
import { isEntryOf, releaseClaims } from "../host/claims.js";
import { listEntries, removeEntry, writeEntry, type JournalEntry } from "../host/journal.js";
import type { Host } from "../host/host.js";
import { assertOwn, assertOwner } from "../host/own-folder.js";
import { dataPaths, type DataPaths } from "../host/paths.js";
import { runtimes } from "../runtime/supervisor.js";
import { commonInputs } from "./common.js";
import { hostChange } from "./host-change.js";
import type { CommonObserved, Context, Operation, RemovalKey, ResourceKind } from "./kind.js";

export const hostInputs = z.strictObject({
  ...commonInputs,
  labels: z.record(z.string(), z.string()).default({}).describe("Labels, name to value"),
  inventory: z
    .array(z.string())
    .transform((keys) => [...keys].sort())
    .optional()
    .describe("Everything the stack wants on this host, as Kind/name. Without it nothing is taken for a leftover"),
});

export type HostInputs = z.output<typeof hostInputs>;

export interface HostObserved extends CommonObserved {
  readonly facts: SharedFacts;
}

/** How the host takes away a resource that it finds orphaned. */
export type RemoveOrphan = (context: Context, operation: Operation, kind: string, key: RemovalKey) => Promise<void>;

export function inventoryKey(kind: string, name: string): string {
  return `${kind}/${name}`;
}

function namedBy(key: string): { kind: string; name: string } {
  const slash = key.indexOf("/");
  return { kind: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** What of the owner's is on the host, is not wanted, and was never seen in Pulumi's state. */
export function findOrphans(entries: readonly JournalEntry[], inputs: HostInputs): JournalEntry[] {
  if (inputs.inventory === undefined) return [];
  const wanted = new Set(inputs.inventory);
  return entries.filter(
    (entry) =>
      entry.owner === inputs.owner &&
      entry.kind !== hostKindName &&
      !entry.recorded &&
      !wanted.has(inventoryKey(entry.kind, entry.name)),
  );
}

/** Whether what claims something is one of the owner's that nobody wants, and that was never made. */
export function isUnwanted(
  holder: Holder,
  entries: readonly JournalEntry[],
  { owner, inventory }: Pick<HostInputs, "owner" | "inventory">,
): boolean {
  if (holder.owner !== owner || inventory === undefined) return false;
  const wanted = inventory.map((key) => ({ owner, ...namedBy(key) }));
  return ![...wanted, ...entries].some((entry) => isEntryOf(entry, holder));
}

const hostKindName = "Host";
/** How long a runner of which nothing else is known may take to stop. */
const lostStopSeconds = 10;

export function hostKind(removeOrphan: RemoveOrphan): ResourceKind<HostInputs, HostObserved> {
  return {
    kind: hostKindName,
    inputs: hostInputs,
    differences: {
      name: { change: "replace", reason: "another host" },
      owner: { change: "replace", reason: "another owner" },
      host: hostChange("replace"),
      labels: { change: "update", reason: "labels are written down" },
      inventory: { change: "update", reason: "what the stack wants on the host changes; leftovers are removed" },
    },
    uses: () => "host",
    secrets: () => [],

    async observe({ host, reference, lookAgain }) {
      const marker = await host.status(dataPaths(reference.dataDir).marker);
      const facts = await lookAgain();
      return { facts, drift: marker === undefined ? [`${reference.dataDir} is gone`] : [] };
    },

    async converge(context, operation, inputs) {
      const { host, reference } = context;
      const { marker } = dataPaths(reference.dataDir);
      if ((await host.status(marker)) === undefined) {
        await assertOwn(host, reference.dataDir);
        await operation.step("prepare the data directory", async () => {
          // Where a data directory was lost, what ran from it may run on.
          for (const runtime of runtimes) await context.supervisor(runtime).retire(inputs.owner);
          await host.writeFile(marker, markerText);
        });
      } else {
        await assertOwner(host, reference.dataDir);
      }
      const entries = await listEntries(host, reference.dataDir);
      for (const orphan of findOrphans(entries, inputs)) {
        await removeEntryAndThing(context, operation, orphan, removeOrphan);
      }
      const claims = { host, dataDir: reference.dataDir, seen: operation.seenClaims };
      await releaseClaims(claims, (holder) => isUnwanted(holder, entries, inputs));
      await markWanted(context, entries, inputs);
    },

    async remove(context, operation, { owner, name }) {
      const { host, reference } = context;
      const isOwn = (entry: JournalEntry) =>
        entry.owner === owner && !(entry.kind === hostKindName && entry.name === name);
      const entries = (await listEntries(host, reference.dataDir)).filter(isOwn);
      // A host that was renamed: all that is here belongs to the new name.
      if (entries.some(({ kind }) => kind === hostKindName)) return;
      for (const entry of entries) {
        await removeEntryAndThing(context, operation, entry, removeOrphan);
      }
      // What was claimed for instances that were never made.
      const claims = { host, dataDir: reference.dataDir, seen: operation.seenClaims };
      await releaseClaims(claims, (holder) => holder.owner === owner);
      const others = (await listEntries(host, reference.dataDir)).some((entry) => entry.owner !== owner);
      if (others) return;
      await operation.step("remove everything but the download cache", () => removeAll(context));
    },
  };
}

const markerText = `${JSON.stringify({ schemaVersion: 1, madeBy: "pulumi-berth" })}\n`;

/** Those that Pulumi will delete are told from those that stay, for instances that come to where they are. */
async function markWanted(
  { host, reference }: Context,
  entries: readonly JournalEntry[],
  { owner, inventory }: HostInputs,
): Promise<void> {
  if (inventory === undefined) return;
  for (const { unwanted, ...entry } of entries) {
    if (entry.owner !== owner || entry.kind !== "Instance") continue;
    const isWanted = inventory.includes(inventoryKey(entry.kind, entry.name));
    // What an interrupted run left is gone by now.
    if (isWanted === (unwanted === undefined) || (!isWanted && !entry.recorded)) continue;
    await writeEntry(host, reference.dataDir, isWanted ? entry : { ...entry, unwanted: true });
  }
}

async function removeEntryAndThing(
  context: Context,
  operation: Operation,
  entry: JournalEntry,
  removeOrphan: RemoveOrphan,
): Promise<void> {
  context.log({
    kind: "warning",
    subject: entry.name,
    text: `${entry.kind} was left by an interrupted run and is removed`,
  });
  await removeOrphan(context, operation, entry.kind, entry);
  await removeEntry(context.host, context.reference.dataDir, entry);
}

async function removeAll(context: Context): Promise<void> {
  const { host, reference } = context;
  const paths = dataPaths(reference.dataDir);
  for (const runtime of runtimes) {
    const supervisor = context.supervisor(runtime);
    for (const id of await supervisor.list())
      await supervisor.remove({
        id,
        folder: posix.join(paths.instances, id),
        startSeconds: 0,
        stopSeconds: lostStopSeconds,
      });
    await supervisor.retire();
  }
  await removeOwnLinks(host, paths);
  // Claims that are left are another stack's, which is about to come.
  const kept = [paths.root, paths.cache, paths.lock, paths.bin, paths.claims];
  for (const path of Object.values<string>({ ...paths })) if (!kept.includes(path)) await host.remove(path);
  await host.removeIfEmpty(paths.claims);
}

/** An administrator may have put executables beside Berth's links. */
async function removeOwnLinks(host: Host, { bin, backends }: DataPaths): Promise<void> {
  for (const name of await host.list(bin)) {
    const path = posix.join(bin, name);
    if ((await host.readLink(path))?.startsWith(`${backends}/`) === true) await host.remove(path);
  }
  await host.removeIfEmpty(bin);
}
