import { link, lstat, mkdir, open, readdir, readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";

import { BerthError, messageOf, systemCode } from "../lib/errors.js";
import { parseYaml } from "../schema/document.js";
import { promotionRecord, type PromotionRecord } from "../schema/promotion.js";
import { tooLarge } from "../schema/yaml-text.js";
import { recordName } from "./promotion-record.js";

/** Where a project's records are, below its root. */
export const promotionsFolder = "promotions";

/** Records hold whole bundles, before and after. */
const largestRecordBytes = 50_000_000;

/**
 * The records of all environments, in the order of their names. Other files, such as one that a killed command left half
 * written, are passed over.
 *
 * @throws BerthError `promotion-invalid` for a `.json` file that is no record, or another one than its name says
 */
export async function readPromotions(root: string): Promise<PromotionRecord[]> {
  const records: PromotionRecord[] = [];
  for (const name of await listRecords(root)) records.push(await readPromotion(root, name));
  return records;
}

/**
 * Writes a record and returns its path below the root. It is there whole or not at all, and stays over a loss of power.
 *
 * @throws BerthError `promotion-invalid` when there is a file of its name, which stays as it is, or it cannot be written
 */
export async function writePromotion(root: string, record: PromotionRecord): Promise<string> {
  const shownPath = shownPathOf(recordName(record));
  try {
    await writeNew(root, shownPath, `${JSON.stringify(record, undefined, 2)}\n`);
  } catch (error) {
    throw error instanceof BerthError ? error : unwritable(shownPath, error);
  }
  return shownPath;
}

async function writeNew(root: string, shownPath: string, text: string): Promise<void> {
  const folder = join(root, promotionsFolder);
  const temporary = join(folder, `.${basename(shownPath)}.${process.pid}.tmp`);
  await mkdir(folder, { recursive: true });
  try {
    await writeSynced(temporary, text);
    // Unlike a renaming it never replaces what is there.
    await link(temporary, join(root, shownPath));
  } catch (error) {
    throw systemCode(error) === "EEXIST" ? alreadyThere(shownPath) : error;
  } finally {
    await rm(temporary, { force: true });
  }
  await syncFolder(folder);
}

async function listRecords(root: string): Promise<string[]> {
  try {
    const names = await readdir(join(root, promotionsFolder));
    return names.filter((name) => name.endsWith(".json") && !name.startsWith(".")).sort();
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw invalid(promotionsFolder, "the records of promotions cannot be read", {
      detail: messageOf(error),
      cause: error,
    });
  }
}

async function readPromotion(root: string, name: string): Promise<PromotionRecord> {
  const shownPath = shownPathOf(name);
  let record: PromotionRecord;
  try {
    record = parseRecord(await readText(root, shownPath), shownPath);
  } catch (error) {
    throw invalid(shownPath, "the record of a promotion cannot be read", { detail: messageOf(error), cause: error });
  }
  const expected = recordName(record);
  if (name === expected) return record;
  throw invalid(shownPath, "the record is not what its name says", { got: name, expected });
}

function parseRecord(text: string, shownPath: string): PromotionRecord {
  const result = promotionRecord.safeParse(JSON.parse(text));
  // JSON is YAML too, whose reader takes a hundred times as long and tells line and column of what is wrong.
  return result.success ? result.data : parseYaml(text, shownPath, promotionRecord, largestRecordBytes);
}

/** Refuses what is no plain file before it is opened: reading a pipe would not end. */
async function readText(root: string, shownPath: string): Promise<string> {
  const path = join(root, shownPath);
  const found = await lstat(path);
  if (!found.isFile()) throw new BerthError("promotion-invalid", { where: shownPath, what: "it is no plain file" });
  if (found.size > largestRecordBytes) throw tooLarge(shownPath, found.size, largestRecordBytes);
  return readFile(path, "utf8");
}

async function writeSynced(path: string, text: string): Promise<void> {
  const file = await open(path, "w");
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function shownPathOf(name: string): string {
  return `${promotionsFolder}/${name}`;
}

function invalid(
  where: string,
  what: string,
  more: { got?: string; expected?: string; detail?: string; cause?: unknown },
): BerthError {
  const hint = "restore it from git; without it nobody knows what was there before, and a rollback may go too far";
  return new BerthError("promotion-invalid", { where, what, hint, ...more });
}

function alreadyThere(where: string): BerthError {
  return new BerthError("promotion-invalid", {
    where,
    what: "there is a record of this time and these bundles already; it was not replaced",
    hint: "wait a second, and do it again",
  });
}

function unwritable(where: string, cause: unknown): BerthError {
  return new BerthError("promotion-invalid", {
    where,
    what: "the record of a promotion cannot be written, so the lock was not either",
    hint: `make \`${promotionsFolder}\` a folder that can be written, and do it again`,
    detail: messageOf(cause),
    cause,
  });
}
