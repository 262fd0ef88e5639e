import { rm } from "node:fs/promises";
import { join } from "node:path";

import { listEntries } from "../host/journal.js";
import { assertOwn } from "../host/own-folder.js";
import { chooseGarbage, wantedReferences } from "../install/garbage.js";
import { listStored, removeStored, type Removable, type StoredPlace } from "../install/garbage-survey.js";
import { chooseEvictedModels, evictModel } from "../install/model-eviction.js";
import { formatBytes } from "../lib/format.js";
import { findUnneeded } from "../lock/kept-files.js";
import { readPromotions } from "../lock/promotion-file.js";
import type { Context } from "../resources/kind.js";
import { openContexts, openLeases } from "./contexts.js";
import { contextsOf, isSamePlace, onEachHost, readStack, surveyHost, type SurveyedStack } from "./model-survey.js";
import { readProjectLocks } from "./project-locks.js";
import { plainTable } from "./table.js";
import { chooseStack, type Workplace } from "./workplace.js";

export interface GcOptions {
  /** This host alone. */
  host?: string;
  /** Without it nothing is removed, and what would be is shown. */
  yes?: boolean;
  json?: boolean;
}

/** Something that nobody wants. */
interface Garbage {
  /** `-` for what the project itself keeps. */
  readonly host: string;
  readonly kind: Removable["kind"] | "model" | "kept file";
  readonly name: string;
  readonly sizeBytes: number;
  readonly lastUsed: Date;
  /** @returns why it stays, when it does */
  readonly remove: () => Promise<string | undefined>;
}

const nothing = "nothing is there that nobody wants";

/**
 * Shows, and with `yes` removes, what Berth has put on a stack's hosts and nobody wants: no resource of any stack has
 * it, by the host's journal, no lock of the project has it there, and nothing runs from it. Each host is changed under
 * its lock, by what is there then. Without `host` also what the project keeps for releases that nothing names any more.
 */
export async function collectGarbage(
  workplace: Workplace,
  named: string | undefined,
  options: GcOptions,
): Promise<void> {
  const stack = await readStack(workplace, await chooseStack(workplace, named), options.host);
  const { signal } = new AbortController();
  const contexts = contextsOf(stack, openContexts(workplace, signal));
  const own = options.host === undefined ? await findOwnGarbage(workplace) : [];
  if (options.yes === true) await removeAll(workplace, contexts, { stack, own }, signal);
  else await preview(workplace, contexts, { stack, own }, options.json === true);
}

interface Wanting {
  readonly stack: SurveyedStack;
  /** Garbage of the project's own folder. */
  readonly own: readonly Garbage[];
}

/** What no lock names, and no record of a promotion. */
async function findOwnGarbage({ root }: Workplace): Promise<Garbage[]> {
  const locks = (await readProjectLocks(root)).map(({ lock }) => lock);
  const found = await findUnneeded(root, locks, await readPromotions(root));
  return found.map(({ path, sizeBytes, keptAt }) => ({
    ...{ host: "-", kind: "kept file", name: path, sizeBytes, lastUsed: keptAt },
    remove: () => rm(join(root, path), { force: true }).then(() => undefined),
  }));
}

async function removeAll(
  workplace: Workplace,
  contexts: readonly Context[],
  { stack, own }: Wanting,
  signal: AbortSignal,
): Promise<void> {
  const leases = await openLeases(workplace);
  const ownBytes = await removeEach(workplace, own);
  const { done, assertAll } = await onEachHost(workplace, contexts, async (context) => {
    const { host, reference } = context;
    // Taking the host lock would make the folder.
    if ((await host.status(reference.dataDir)) === undefined) return 0;
    await assertOwn(host, reference.dataDir);
    let freedBytes = 0;
    await leases.use(host, reference, stack.owner, signal, async () => {
      freedBytes = await removeEach(workplace, await findGarbage(workplace, context, stack));
    });
    return freedBytes;
  });
  const freedBytes = done.reduce((sum, bytes) => sum + bytes, ownBytes);
  workplace.print(freedBytes === 0 ? nothing : `${formatBytes(freedBytes)} freed`);
  assertAll();
}

/** @returns the bytes that are free by it */
async function removeEach(workplace: Workplace, found: readonly Garbage[]): Promise<number> {
  let freedBytes = 0;
  for (const garbage of found) {
    const because = await garbage.remove();
    const what = `${garbage.host} ${garbage.kind} ${garbage.name}`;
    if (because !== undefined) workplace.note(`${what} stays, because ${because}`);
    else workplace.print(`${what} ${formatBytes(garbage.sizeBytes)} removed`);
    freedBytes += because === undefined ? garbage.sizeBytes : 0;
  }
  return freedBytes;
}

async function preview(
  workplace: Workplace,
  contexts: readonly Context[],
  { stack, own }: Wanting,
  json: boolean,
): Promise<void> {
  const { done, assertAll } = await onEachHost(workplace, contexts, (context) =>
    findGarbage(workplace, context, stack),
  );
  const rows = [...own, ...done.flat()];
  if (json) {
    workplace.print(
      JSON.stringify(
        rows.map(({ remove: _, ...row }) => row),
        undefined,
        2,
      ),
    );
  } else {
    if (rows.length > 0) workplace.print(garbageTable(rows));
    const bytes = formatBytes(rows.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
    workplace.print(rows.length === 0 ? nothing : `${bytes} that nobody wants; nothing was removed, --yes does it`);
  }
  assertAll();
}

async function findGarbage(workplace: Workplace, context: Context, stack: SurveyedStack): Promise<Garbage[]> {
  const { host, reference } = context;
  const { dataDir, binDir, name } = reference;
  const place: StoredPlace = { host, dataDir, binDir, engine: context.containerEngine };
  const versions = stack.backendVersions.filter((version) => isSamePlace(version.host, reference));
  const { stored, problems } = await listStored(place);
  for (const problem of problems) workplace.note(`host ${name}: images were not looked at: ${problem}`);
  const wanted = wantedReferences(await listEntries(host, dataDir), versions);
  const things = chooseGarbage(stored, wanted).map((thing): Garbage => {
    const { kind, name: what, sizeBytes, lastUsed } = thing;
    return { host: name, kind, name: what, sizeBytes, lastUsed, remove: () => removeStored(place, thing) };
  });
  const models = chooseEvictedModels(await surveyHost(context, stack)).map((model): Garbage => {
    const { source, sizeBytes, lastUsed = new Date(0) } = model;
    const text = source === "" ? (model.files[0]?.path ?? model.sha256.slice(0, 12)) : source;
    return {
      ...{ host: name, kind: "model", name: text, sizeBytes, lastUsed },
      remove: () => evictModel(host, dataDir, model).then(() => undefined),
    };
  });
  return [...things, ...models];
}

function garbageTable(rows: readonly Garbage[]): string {
  return plainTable(
    ["HOST", "KIND", "NAME", "SIZE", "LAST USE"],
    rows.map(({ host, kind, name, sizeBytes, lastUsed }) => {
      return [host, kind, name, formatBytes(sizeBytes), lastUsed.toISOString().slice(0, 16).replace("T", " ")];
    }),
  );
}
