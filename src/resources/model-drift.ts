/** How a model on a host differs from what is wanted. */
import { modelPath } from "../host/paths.js";
import { targetStatus } from "../host/target.js";
import { isAsRecorded, placedFiles } from "../install/model-places.js";
import { readRecord, type ModelRecord } from "../install/model-record.js";
import { filesOf, labelOf, type PinnedFile } from "../model/repository.js";
import type { Context } from "./kind.js";
import type { ModelFilesInputs } from "./model-files-inputs.js";

/** One sentence for each difference. A file as its record has it is not read again. */
export async function findDrift(context: Context, inputs: ModelFilesInputs, record: ModelRecord): Promise<string[]> {
  if (record.path !== placedPath(context, inputs)) return [`${labelOf(inputs)} is in another place: ${record.path}`];
  const drift: string[] = [];
  for (const file of filesOf(inputs)) {
    const difference = await findDifference(context, inputs, file, record);
    if (difference !== undefined) drift.push(`${file.path} ${difference}`);
  }
  if (inputs.from.source === "huggingface")
    drift.push(...(await unwantedFiles(context, inputs)).map((path) => `${path} was added`));
  return drift;
}

async function findDifference(
  context: Context,
  inputs: ModelFilesInputs,
  { path, sha256 }: PinnedFile,
  record: ModelRecord,
): Promise<string | undefined> {
  const { host } = context;
  // Records of earlier versions know a file in place by its own name.
  const known = record.files[path] ?? Object.values(record.files).find((file) => file.sha256 === sha256);
  if (known === undefined) return "is not there";
  const lies = locate(context, inputs, path);
  const status = await targetStatus(host, lies);
  if (status === undefined) return "is missing";
  if (status.size !== known.sizeBytes) return `has ${status.size} bytes, expected ${known.sizeBytes}`;
  if (isAsRecorded(status, known)) return undefined;
  const found = await host.sha256(lies);
  return found === sha256 ? undefined : `was changed: sha256 ${found}, expected ${sha256}`;
}

/** What lies where runners find the model and is not wanted, by its path there. */
export async function unwantedFiles(context: Context, inputs: ModelFilesInputs): Promise<string[]> {
  const own = inputs.from.source === "file" ? [] : filesOf(inputs).map(({ path }) => path);
  return (await placedFiles({ host: context.host, dataDir: context.reference.dataDir }, inputs.sha256)).filter(
    (path) => !own.includes(path),
  );
}

/** What runners are given. */
export function placedPath(context: Context, inputs: ModelFilesInputs): string {
  return locate(context, inputs, inputs.file);
}

export function locate({ reference }: Context, { from, sha256 }: ModelFilesInputs, path: string): string {
  return from.source === "file" ? from.path : modelPath(reference.dataDir, sha256, path);
}

export function recordFolder({ reference }: Context, sha256: string): string {
  return modelPath(reference.dataDir, sha256, ".");
}

export function recordOf(context: Context, inputs: ModelFilesInputs): Promise<ModelRecord | undefined> {
  return readRecord(context.host, recordFolder(context, inputs.sha256));
}
