/** Runs the parts of a subordinate, and looks at them. */
import { readInstallation } from "../install/installation.js";
import { execFile, execPath } from "../runtime/runner-files.js";
import type { RunnerSpec } from "../runtime/supervisor.js";
import type { Context } from "./kind.js";
import { lookAtNode, raySpecs, startNode } from "./ray-node.js";
import { isRelayFile, rpcSpecs, startRpc } from "./rpc-server.js";
import type { SubordinateInputs } from "./subordinate-inputs.js";
import {
  partDefinition,
  parts,
  subordinateFolder,
  type Part,
  type PartSpecs,
  type SeenPart,
} from "./subordinate-part.js";

/** What is to be run, part by part; undefined where the backend version is not installed. */
export async function partSpecs(
  { host, reference }: Context,
  inputs: SubordinateInputs,
): Promise<PartSpecs | undefined> {
  const { owner, name, backend, backendVersion: version } = inputs;
  const place = { host, dataDir: reference.dataDir, binDir: reference.binDir, backend, version };
  const installation = await readInstallation(place);
  if (installation === undefined) return undefined;
  const folder = subordinateFolder(reference, owner, name);
  return inputs.ray === undefined
    ? rpcSpecs(inputs, installation, folder)
    : raySpecs({ ...inputs, ray: inputs.ray }, installation, folder);
}

/** Looks at the process. An RPC server is not connected to: it has time for one client, who may take it along. */
export async function lookAtPart(
  context: Context,
  inputs: SubordinateInputs,
  part: Part,
  spec: RunnerSpec,
): Promise<SeenPart> {
  const { host, supervisor } = context;
  const { state, asDefined } = await supervisor(inputs.runtime).observe(spec);
  if (state.kind !== "running") {
    const why = "reason" in state ? ` (${state.reason})` : "";
    return { part, pid: undefined, drift: [`its ${part} does not run${why}`] };
  }
  const isStarted = asDefined && (await host.readText(execPath(spec.folder))) === execFile(spec);
  const isSame = isStarted && (part !== "relay" || (await isRelayFile(context, inputs, spec.folder)));
  if (!isSame) return { part, pid: state.pid, drift: [`what its ${part} is started from was changed`] };
  return { part, pid: state.pid, drift: part === "node" ? await lookAtNode(context, inputs, spec) : [] };
}

/** Starts the parts anew. @throws BerthError `runner-failed` */
export async function startParts(context: Context, inputs: SubordinateInputs, specs: PartSpecs): Promise<void> {
  await stopParts(context, inputs);
  const node = specs.get("node");
  return node === undefined ? startRpc(context, inputs, specs) : startNode(context, inputs, node);
}

/** What stands before a server goes first: nobody is let in any more. */
export async function stopParts(
  { reference, supervisor }: Context,
  { owner, name, runtime }: SubordinateInputs,
): Promise<void> {
  const folder = subordinateFolder(reference, owner, name);
  for (const part of parts.toReversed()) await supervisor(runtime).remove(partDefinition(folder, part));
}
