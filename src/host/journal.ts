import { posix } from "node:path";

import { z } from "zod";

import { sha256 } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { dataPaths } from "./paths.js";
import type { Host } from "./host.js";

const resourceKey = {
  /** `project/stack` that wants the resource. */
  owner: z.string(),
  /** Resource kind, such as `Instance`. */
  kind: z.string(),
  name: z.string(),
  /**
   * What of the host the resource uses, such as `models/<sha256>`; shared things have several entries. A resource that
   * is being replaced has two for a while.
   */
  uses: z.string(),
};

const openOperation = z.strictObject({
  operation: z.enum(["create", "update", "delete"]),
  /** The step that was begun last. */
  step: z.string(),
  number: z.int(),
});

const journalEntry = z.strictObject({
  schemaVersion: z.literal(1),
  ...resourceKey,
  /** The creation that this is of. A resource that was created anew has another, though its key is the same. */
  identity: z.string(),
  /** Whether Pulumi's state is known to have the resource. False from its creation until it is first read again. */
  recorded: z.boolean(),
  /** Its stack wants it no more. Pulumi deletes it last, so whoever gets what it has takes it away before. */
  unwanted: z.literal(true).optional(),
  open: openOperation.optional(),
});

/** One resource on a host: whose it is, what it uses, and the operation that has begun and not ended. */
export type JournalEntry = z.output<typeof journalEntry>;
export type ResourceKey = Pick<JournalEntry, "owner" | "kind" | "name" | "uses">;

/** `update, step 3: stop the old runner` */
export function describeOpen({ operation, number, step }: NonNullable<JournalEntry["open"]>): string {
  return `${operation}, step ${number}: ${step}`;
}

export async function readEntry(host: Host, dataDir: string, key: ResourceKey): Promise<JournalEntry | undefined> {
  return parseEntry(host, entryPath(dataDir, key));
}

export async function writeEntry(host: Host, dataDir: string, entry: JournalEntry): Promise<void> {
  await host.writeFile(entryPath(dataDir, entry), `${JSON.stringify(entry)}\n`, 0o600);
}

export async function removeEntry(host: Host, dataDir: string, key: ResourceKey): Promise<void> {
  await host.remove(entryPath(dataDir, key));
}

/** Every entry of the host, of all owners. */
export async function listEntries(host: Host, dataDir: string): Promise<JournalEntry[]> {
  const folder = dataPaths(dataDir).journal;
  const names = (await host.list(folder)).filter((name) => name.endsWith(".json"));
  const entries = await Promise.all(names.map((name) => parseEntry(host, posix.join(folder, name))));
  return entries.filter((entry) => entry !== undefined);
}

/** No part of a key holds a `+`. */
function entryPath(dataDir: string, { owner, kind, name, uses }: ResourceKey): string {
  const parts = [owner.replace("/", "+"), kind, name, sha256(uses).slice(0, 8)];
  return posix.join(dataPaths(dataDir).journal, `${parts.join("+")}.json`);
}

async function parseEntry(host: Host, path: string): Promise<JournalEntry | undefined> {
  const text = await host.readText(path);
  if (text === undefined) return undefined;
  try {
    return journalEntry.parse(JSON.parse(text));
  } catch (error) {
    throw new BerthError("lock-incompatible", {
      where: `host ${host.name}: ${path}`,
      what: "this journal entry was not written by this version of Berth",
      hint: "run it with the version that wrote it, or look at the file and delete it if it is broken",
      cause: error,
    });
  }
}
