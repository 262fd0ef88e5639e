/** What Berth has written down of a model that it put in place, in the model's folder. */
import { posix } from "node:path";

import { z } from "zod";

import type { Host } from "../host/host.js";

/** No file of a model has this path (see `modelFilePath` of the schema). */
export const modelRecordName = "placement.json";

const recordedFile = z.strictObject({ sizeBytes: z.int(), changedAt: z.string(), sha256: z.string() });

const modelRecord = z.strictObject({
  schemaVersion: z.literal(2),
  id: z.string(),
  /** What runners are given. */
  path: z.string(),
  /** Where it came from, in words. */
  source: z.string(),
  /** By path in the model's folder; of a file that is used where it is by its name. */
  files: z.record(z.string(), recordedFile),
});

/** What versions before 0.2 wrote, of a model's one file. */
const firstRecord = z.strictObject({
  schemaVersion: z.literal(1),
  id: z.string(),
  path: z.string(),
  sizeBytes: z.int(),
  changedAt: z.string(),
});

const anyRecord = z.discriminatedUnion("schemaVersion", [firstRecord, modelRecord]);

export type ModelRecord = z.output<typeof modelRecord>;

/** Undefined when there is none, or it was changed by hand: then it is as good as missing. */
export async function readRecord(host: Host, folder: string): Promise<ModelRecord | undefined> {
  const text = await host.readText(posix.join(folder, modelRecordName));
  if (text === undefined) return undefined;
  try {
    const found = anyRecord.parse(JSON.parse(text));
    return found.schemaVersion === 2 ? found : translate(found, posix.basename(folder));
  } catch {
    return undefined;
  }
}

/** The folder of a single file has its SHA-256 for a name. */
function translate({ id, path, sizeBytes, changedAt }: z.output<typeof firstRecord>, sha256: string): ModelRecord {
  const files = { [posix.basename(path)]: { sizeBytes, changedAt, sha256 } };
  return { schemaVersion: 2, id, path, source: "", files };
}

export async function writeRecord(host: Host, folder: string, record: ModelRecord): Promise<void> {
  await host.writeFile(posix.join(folder, modelRecordName), JSON.stringify(record));
}

/** The records of all models below a folder. */
export async function listRecords(
  host: Host,
  folder: string,
): Promise<{ readonly folder: string; readonly record: ModelRecord }[]> {
  const found = await Promise.all(
    (await host.list(folder)).map(async (name) => {
      const inner = posix.join(folder, name);
      const record = await readRecord(host, inner);
      return record === undefined ? [] : [{ folder: inner, record }];
    }),
  );
  return found.flat();
}
