/**
 * A model's files on a host: fetched and verified once for all that want them, and gone back to the cache when nobody
 * wants them any more. What was in place before stays there until the new is. `placement` changes whenever a file is
 * put in place anew, so that runners are started again.
 */
import { posix } from "node:path";

import { modelOrigin } from "../catalog/origins.js";
import { listEntries } from "../host/journal.js";
import { modelPath } from "../host/paths.js";
import { targetStatus } from "../host/target.js";
import { bringModel } from "../install/model-files.js";
import { cacheFolder, placedFiles, placeFiles, retireFiles, type ModelContext } from "../install/model-places.js";
import { readRecord, writeRecord, type ModelRecord } from "../install/model-record.js";
import { hostPython } from "../install/python.js";
import { BerthError } from "../lib/errors.js";
import { describeOrigin } from "../model/origin-text.js";
import { filesOf, labelOf } from "../model/repository.js";
import type { LockedOrigin } from "../schema/model.js";
import { hostChange } from "./host-change.js";
import type { CommonObserved, Context, ResourceKind } from "./kind.js";
import { findDrift, locate, placedPath, recordFolder, recordOf, unwantedFiles } from "./model-drift.js";
import { modelFilesInputs, type ModelFilesInputs } from "./model-files-inputs.js";
import { recordTransfer } from "./transfer-record.js";

export interface ModelFilesObserved extends CommonObserved {
  /** What runners are given: a file, or the folder of several. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Identity of this placement; empty when the model is not there. */
  readonly placement: string;
}

export type ModelFilesStep = "fetch" | "place" | "retire";

/** What is to be done, from what was seen. Pure. */
export function planModelFiles(seen: {
  placed: boolean;
  drift: readonly string[];
  /** The file is the user's own and is used where it is. */
  inPlace: boolean;
  /** Something that is not wanted lies where runners find the model. */
  remains: boolean;
}): ModelFilesStep[] {
  if (seen.placed && seen.drift.length === 0) return [];
  return [...(seen.inPlace ? [] : (["fetch"] as const)), "place", ...(seen.remains ? (["retire"] as const) : [])];
}

const stepTexts: Record<ModelFilesStep, string> = {
  fetch: "fetch and verify",
  place: "put in place",
  retire: "take aside what was there",
};

export const modelFilesKind: ResourceKind<ModelFilesInputs, ModelFilesObserved> = {
  kind: "ModelFiles",
  inputs: modelFilesInputs,
  differences: {
    name: { change: "replace", reason: "another resource" },
    owner: { change: "replace", reason: "another owner" },
    host: hostChange("replace"),
    sha256: { change: "replace", reason: "another model; the old one stays until nobody wants it" },
    file: { change: "update", reason: "another file name: put in place anew" },
    from: { change: "update", reason: "the same bytes from another place: nothing is fetched again" },
    indexUrl: { change: "none", reason: "used at the next download" },
    hubEndpoint: { change: "none", reason: "used at the next download" },
    token: { change: "none", reason: "used at the next download" },
  },
  uses: ({ sha256 = "" }) => posix.join("models", sha256),
  secrets: ({ token }) => (token === undefined ? [] : [token]),

  async observe(context, inputs) {
    const path = placedPath(context, inputs);
    const record = await recordOf(context, inputs);
    if (record === undefined) return { path, sizeBytes: 0, placement: "", drift: ["is not there"] };
    const drift = await findDrift(context, inputs, record);
    const sizeBytes = Object.values(record.files).reduce((sum, file) => sum + file.sizeBytes, 0);
    return { path, sizeBytes, placement: record.id, drift };
  },

  async converge(context, operation, inputs) {
    const record = await recordOf(context, inputs);
    const drift = record === undefined ? [] : await findDrift(context, inputs, record);
    const inPlace = inputs.from.source === "file";
    const remains = (await unwantedFiles(context, inputs)).length > 0;
    let found: ReadonlyMap<string, string> = new Map();
    const actions: Record<ModelFilesStep, () => Promise<void>> = {
      fetch: async () => {
        found = await bring(context, inputs, record);
      },
      place: () => place(context, inputs, found),
      retire: async () =>
        retireFiles(modelContext(context, inputs), inputs.sha256, await unwantedFiles(context, inputs)),
    };
    const steps = planModelFiles({ placed: record !== undefined, drift, inPlace, remains });
    const perform = async () => {
      for (const step of steps) await operation.step(stepTexts[step], actions[step]);
    };
    const { name, dataDir } = context.reference;
    // Repositories share files: what one fetches, another would take from under it, or fetch into the same place.
    if (inputs.from.source === "huggingface") await context.serial.run(`${name} ${dataDir} repositories`, perform);
    else await perform();
  },

  async remove(context, operation, { owner, name, uses }) {
    const { host, reference } = context;
    const entries = await listEntries(host, reference.dataDir);
    const wantedByOthers = entries.some(
      (entry) => entry.uses === uses && !(entry.owner === owner && entry.name === name),
    );
    if (wantedByOthers) return;
    await operation.step("take back to the cache", async () => {
      const place = { host, dataDir: reference.dataDir };
      const digest = posix.basename(uses);
      const folder = modelPath(reference.dataDir, digest, ".");
      const record = await readRecord(host, folder);
      await retireFiles(place, digest, await placedFiles(place, digest));
      // Of a file alone its name tells all; of several the record tells what belongs together.
      if (record !== undefined && isOfSeveral(record, digest))
        await writeRecord(host, cacheFolder(reference.dataDir, digest), record);
      await host.remove(folder);
    });
  },
};

function isOfSeveral({ files }: ModelRecord, digest: string): boolean {
  return !Object.values(files).some(({ sha256 }) => sha256 === digest);
}

async function bring(
  context: Context,
  inputs: ModelFilesInputs,
  record: ModelRecord | undefined,
): Promise<ReadonlyMap<string, string>> {
  const { file, sha256, token } = inputs;
  const from = atMirror(inputs);
  if (from.source === "file") return new Map();
  const text = labelOf(inputs);
  const tell = (current: number, total: number | undefined) => {
    const size = total === undefined ? {} : { total };
    context.log({ kind: "progress", subject: inputs.name, text, current, ...size });
  };
  return recordTransfer(context, modelOrigin(from, inputs), (meter) =>
    bringModel({ ...modelContext(context, inputs), meter }, { from, file, sha256, token }, record, tell),
  );
}

async function place(context: Context, inputs: ModelFilesInputs, found: ReadonlyMap<string, string>): Promise<void> {
  const { host } = context;
  const { from } = inputs;
  if (from.source === "file") await verifyInPlace(context, inputs, from.path);
  const moves = [...found].map(([path, lies]) => ({ from: lies, to: locate(context, inputs, path) }));
  await placeFiles(host, moves);
  const files: ModelRecord["files"] = {};
  for (const { path, sha256 } of filesOf(inputs)) {
    const wanted = locate(context, inputs, path);
    const status = await targetStatus(host, wanted);
    files[path] = { sizeBytes: status?.size ?? 0, changedAt: status?.changedAt ?? "", sha256 };
  }
  const record = { id: context.newId(), path: placedPath(context, inputs), source: describeOrigin(from), files };
  await writeRecord(host, recordFolder(context, inputs.sha256), { schemaVersion: 2, ...record });
  // What was retired as one has gone back into place; what is left there is its old record.
  if (from.source === "huggingface" && from.files.length > 1)
    await host.remove(cacheFolder(context.reference.dataDir, inputs.sha256));
}

/** A model of a hub that names none is fetched from the mirror of its environment. */
function atMirror({ from, hubEndpoint }: ModelFilesInputs): LockedOrigin {
  return from.source === "huggingface" ? { ...from, endpoint: from.endpoint ?? hubEndpoint } : from;
}

/** A file that the user put on the host is used where it is. */
async function verifyInPlace({ host, signal }: Context, inputs: ModelFilesInputs, path: string): Promise<void> {
  const found = (await targetStatus(host, path)) === undefined ? undefined : await host.sha256(path, signal);
  if (found === inputs.sha256) return;
  throw new BerthError(found === undefined ? "file-not-found" : "checksum-mismatch", {
    where: `host ${host.name}: ${path}`,
    what: found === undefined ? "the model file is missing" : "the model file is not the one that is pinned",
    got: found === undefined ? "no such file" : `sha256 ${found}`,
    expected: `sha256 ${inputs.sha256}`,
    hint: "put the right file there, or correct the model's path or sha256 in the stack file",
  });
}

function modelContext(context: Context, inputs: ModelFilesInputs): ModelContext {
  const { host, reference, content, serial, signal } = context;
  const { dataDir } = reference;
  const find = async () => (await context.findPython()).python;
  const python = () => hostPython({ host, dataDir, serial, find });
  return { host, dataDir, content, serial, signal, indexUrl: inputs.indexUrl, python };
}
