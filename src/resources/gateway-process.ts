/** A HAProxy that a host's supervisor keeps alive, as both kinds of gateway have it. */
import { listEntries } from "../host/journal.js";
import { dataPaths } from "../host/paths.js";
import { BerthError } from "../lib/errors.js";
import { haproxyArguments, type GatewayPaths } from "../runtime/haproxy-configuration.js";
import { execFile, execPath, readOutput } from "../runtime/runner-files.js";
import { runtimes, type RunnerDefinition, type RunnerSpec } from "../runtime/supervisor.js";
import { hostChange } from "./host-change.js";
import type { CommonInputs, Context, DifferenceTable, Operation } from "./kind.js";

const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What makes it another gateway. */
export const gatewayIdentity = {
  name: { change: "replace", reason: "another gateway" },
  owner: { change: "replace", reason: "another owner" },
  host: hostChange("replace"),
} as const satisfies DifferenceTable<CommonInputs>;

export const processDifferences = {
  haproxy: { change: "update", reason: "it is started again: nothing answers for a moment" },
  runtime: { change: "update", reason: "another supervisor starts it again: nothing answers for a moment" },
} as const satisfies DifferenceTable<{ haproxy: string; runtime: string }>;

/** How the supervisor knows it: what ends at once four times is given up, and nothing else. No instance's runner has such an id: theirs end in a generation. */
export function gatewayDefinition(id: string, folder: string): RunnerDefinition {
  return { id, folder, startSeconds: 1, stopSeconds: 5 };
}

export function gatewaySpec(
  definition: RunnerDefinition,
  haproxy: string,
  paths: Pick<GatewayPaths, "socket" | "configuration">,
): RunnerSpec {
  const environment = { PATH: searchPath, HOME: definition.folder, LANG: "C.UTF-8" };
  return { ...definition, argv: haproxyArguments(haproxy, paths), environment };
}

/** What is wrong with the processes, whatever their files say. */
export async function findProcessDrift(
  context: Context,
  runtime: string,
  specs: readonly RunnerSpec[],
): Promise<string[]> {
  const found = await Promise.all(specs.map((spec) => findSpecDrift(context, runtime, spec)));
  return [...new Set(found.flat())];
}

/** Starts those that do not run as they should, under this supervisor alone. @throws BerthError `runner-failed` */
export async function startGateway(
  context: Context,
  { name, runtime }: { readonly name: string; readonly runtime: string },
  specs: readonly RunnerSpec[],
  awaitAnswer: () => Promise<boolean>,
): Promise<void> {
  const supervisor = context.supervisor(runtime);
  const others = runtimes.filter((each) => each !== runtime).map(context.supervisor);
  await supervisor.prepare();
  for (const spec of specs) {
    for (const other of others) await other.remove(spec);
    if ((await findSpecDrift(context, runtime, spec)).length > 0) await supervisor.start(spec);
  }
  if (await awaitAnswer()) return;
  const [spec] = specs.slice(-1);
  throw new BerthError("runner-failed", {
    where: `host ${context.host.name}: ${name}`,
    what: "the gateway was started and does not answer",
    expected: "an answer from the master of HAProxy",
    detail: spec === undefined ? "" : await readOutput(context.host, spec.folder, 20),
  });
}

/** Takes away its processes and its files, unless another name has them: a gateway that was renamed, as its host is. */
export async function removeGateway(
  { host, reference, supervisor: supervisorOf }: Context,
  operation: Operation,
  { kind, owner, name }: { readonly kind: string; readonly owner: string; readonly name: string },
  { folder, socketFolder }: Pick<GatewayPaths, "folder" | "socketFolder">,
  definitions: readonly RunnerDefinition[],
): Promise<void> {
  const entries = await listEntries(host, reference.dataDir);
  if (entries.some((entry) => entry.kind === kind && entry.owner === owner && entry.name !== name)) return;
  await operation.step("stop the gateway", async () => {
    for (const runtime of runtimes) {
      const supervisor = supervisorOf(runtime);
      for (const definition of definitions) await supervisor.remove(definition);
      await supervisor.retire();
    }
  });
  await operation.step("remove its files", async () => {
    await host.remove(folder);
    if (socketFolder !== folder) await host.remove(socketFolder);
    await host.removeIfEmpty(dataPaths(reference.dataDir).gateways);
  });
}

async function findSpecDrift(context: Context, runtime: string, spec: RunnerSpec): Promise<string[]> {
  const { state, asDefined } = await context.supervisor(runtime).observe(spec);
  if (state.kind !== "running") return [state.kind === "stopped" ? `is stopped (${state.reason})` : "does not run"];
  const started = await context.host.readText(execPath(spec.folder));
  return asDefined && started === execFile(spec) ? [] : ["what it is started from was changed"];
}
