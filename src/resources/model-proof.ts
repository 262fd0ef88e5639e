/** Whether a model's files are, byte for byte, those of the lock: read whole, whatever is written down of them. */
import { modelPath } from "../host/paths.js";
import { placedFiles } from "../install/model-places.js";
import { filesOf } from "../model/repository.js";
import type { DesiredModel } from "../planner/desired.js";
import { compareDigest, type ProofRow } from "../planner/provenance.js";
import { see } from "../runtime/live-process.js";
import type { Context } from "./kind.js";

export async function proveModel(
  { host, reference, signal }: Context,
  { model }: Pick<DesiredModel, "model">,
): Promise<ProofRow[]> {
  const { from, sha256 } = model;
  const rows: ProofRow[] = [];
  for (const file of filesOf(model)) {
    const path = from.source === "file" ? from.path : modelPath(reference.dataDir, sha256, file.path);
    const found = await see(path, () => host.sha256(path, signal));
    rows.push(compareDigest(`model ${file.path}`, file.sha256, found));
  }
  // Engines read whatever configuration and code lies beside the weights.
  const own = new Set(filesOf(model).map(({ path }) => path));
  const placed = from.source === "file" ? [] : await placedFiles({ host, dataDir: reference.dataDir }, sha256);
  const others = placed.filter((path) => !own.has(path));
  const added = others.map((path): ProofRow => ({
    what: `model ${path}`,
    wanted: "nothing",
    found: "was added",
    verdict: "differs",
  }));
  return [...rows, ...added];
}
