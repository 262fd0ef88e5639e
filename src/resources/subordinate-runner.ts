/** The processes of a subordinate: its server, and what stands before it. */
import { posix } from "node:path";

import { readInstallation } from "../install/installation.js";
import { BerthError } from "../lib/errors.js";
import { lastLines } from "../lib/format.js";
import { relayArguments, relayConfiguration, relayPath } from "../runtime/relay-configuration.js";
import { execFile, execPath, readOutput } from "../runtime/runner-files.js";
import { runnerId } from "../runtime/runner-id.js";
import type { RunnerDefinition, RunnerSpec } from "../runtime/supervisor.js";
import { instanceFolder } from "./instance-files.js";
import type { Context } from "./kind.js";
import type { SubordinateInputs } from "./subordinate-inputs.js";

const startSeconds = 30;
const stopSeconds = 5;
const pollSeconds = 0.1;
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Its parts, in the order in which they start. */
export const parts = ["server", "relay"] as const;
export type Part = (typeof parts)[number];

export function subordinateFolder({ dataDir }: { readonly dataDir: string }, owner: string, name: string): string {
  return instanceFolder(dataDir, owner, name);
}

/** How the supervisor knows a part. */
export function partDefinition(folder: string, part: Part): RunnerDefinition {
  return { id: runnerId(folder, part), folder: posix.join(folder, part), startSeconds, stopSeconds };
}

/** What is to be run, part by part; undefined where the backend version is not installed. */
export async function partSpecs(
  { host, reference }: Context,
  inputs: SubordinateInputs,
): Promise<Map<Part, RunnerSpec> | undefined> {
  const { owner, name, backend, backendVersion: version, address, port, serverPort, haproxy } = inputs;
  const place = { host, dataDir: reference.dataDir, binDir: reference.binDir, backend, version };
  const installation = await readInstallation(place);
  if (installation === undefined) return undefined;
  const folder = subordinateFolder(reference, owner, name);
  const executable = posix.join(posix.dirname(installation.executable), inputs.executable);
  const [on, at] = listening(inputs);
  const specOf = (part: Part, argv: string[], environment: Readonly<Record<string, string>>): [Part, RunnerSpec] => {
    const definition = partDefinition(folder, part);
    const base = { PATH: searchPath, HOME: definition.folder, LANG: "C.UTF-8" };
    return [part, { ...definition, argv, environment: { ...base, ...environment } }];
  };
  const server = specOf("server", [executable, "-H", on, "-p", String(at)], inputs.env);
  if (haproxy === undefined || serverPort === undefined) return new Map([server]);
  const relay = { address, port, admits: inputs.admits, serverPort };
  const relayFolder = partDefinition(folder, "relay").folder;
  // What is in the file counts as much as the arguments.
  const told = { BERTH_RELAY: JSON.stringify(relay) };
  return new Map([server, specOf("relay", relayArguments(haproxy, relayFolder), told)]);
}

/** Where its server listens. */
function listening({ address, port, serverPort }: SubordinateInputs): [address: string, port: number] {
  return serverPort === undefined ? [address, port] : ["127.0.0.1", serverPort];
}

export interface SeenPart {
  readonly part: Part;
  /** Undefined where it does not run. */
  readonly pid: number | undefined;
  readonly drift: readonly string[];
}

/** Looks, and connects to nothing: a server has time for one client, and one that goes away may take it along. */
export async function lookAtPart(
  { host, supervisor }: Context,
  inputs: SubordinateInputs,
  part: Part,
  spec: RunnerSpec,
): Promise<SeenPart> {
  const { state, asDefined } = await supervisor(inputs.runtime).observe(spec);
  if (state.kind !== "running") {
    const why = "reason" in state ? ` (${state.reason})` : "";
    return { part, pid: undefined, drift: [`its ${part} does not run${why}`] };
  }
  const changed: string[] = [];
  if (!asDefined || (await host.readText(execPath(spec.folder))) !== execFile(spec)) changed.push("start");
  if (part === "relay" && (await host.readText(relayPath(spec.folder))) !== relayText(inputs)) changed.push("file");
  return { part, pid: state.pid, drift: changed.length === 0 ? [] : [`what its ${part} is started from was changed`] };
}

function relayText({ address, port, admits, serverPort = 0 }: SubordinateInputs): string {
  return relayConfiguration({ address, port, admits, serverPort });
}

/** Starts the parts, one after the other, each when the one before answers. @throws BerthError `runner-failed` */
export async function startParts(
  context: Context,
  inputs: SubordinateInputs,
  specs: ReadonlyMap<Part, RunnerSpec>,
): Promise<void> {
  const { host, supervisor } = context;
  const keeper = supervisor(inputs.runtime);
  await stopParts(context, inputs);
  await assertExecutable(context, specs);
  await keeper.prepare();
  for (const [part, spec] of specs) {
    if (part === "relay") await host.writeFile(relayPath(spec.folder), relayText(inputs), 0o600);
    await keeper.start(spec);
    await awaitPort(context, inputs, part, spec);
    if (part === "server") await assertAnswers(context, inputs, spec);
  }
}

/** What stands before the server goes first: nobody is let in any more. */
export async function stopParts(
  { reference, supervisor }: Context,
  { owner, name, runtime }: SubordinateInputs,
): Promise<void> {
  const folder = subordinateFolder(reference, owner, name);
  for (const part of parts.toReversed()) await supervisor(runtime).remove(partDefinition(folder, part));
}

async function assertExecutable({ host }: Context, specs: ReadonlyMap<Part, RunnerSpec>): Promise<void> {
  const path = specs.get("server")?.argv[0] ?? "";
  if ((await host.status(path)) !== undefined) return;
  throw new BerthError("file-not-found", {
    where: `host ${host.name}: ${path}`,
    what: "the backend version has no such RPC server beside its engine",
    hint: "correct `distributed` in the backend file, or take a release that has one",
  });
}

async function awaitPort(context: Context, inputs: SubordinateInputs, part: Part, spec: RunnerSpec): Promise<void> {
  const { host, clock, signal } = context;
  const port = part === "server" ? listening(inputs)[1] : inputs.port;
  const until = clock.now().getTime() + startSeconds * 1000;
  while (!(await host.listeningPorts()).has(port)) {
    signal.throwIfAborted();
    if (clock.now().getTime() >= until)
      throw await notUp(context, inputs, spec, `its ${part} does not listen on port ${port}`);
    await clock.sleep(pollSeconds);
  }
}

/** The engine of the same installation asks what there is, as the primary will; nobody is connected yet. */
async function assertAnswers(context: Context, inputs: SubordinateInputs, spec: RunnerSpec): Promise<void> {
  const { host, reference } = context;
  const { backend, backendVersion: version } = inputs;
  const installation = await readInstallation({ host, dataDir: reference.dataDir, backend, version });
  const at = listening(inputs).join(":");
  const asked = await host.run([installation?.executable ?? "", "--rpc", at, "--list-devices"], {
    timeoutSeconds: startSeconds,
  });
  if (asked.stdout.includes(`${at} `) || asked.stdout.includes(`${at}]`)) return;
  const said = lastLines(`${asked.stdout}\n${asked.stderr}`, 5);
  throw await notUp(context, inputs, spec, `its server has no device for ${backend} ${version}`, said);
}

async function notUp(
  { host }: Context,
  { name }: SubordinateInputs,
  { folder }: RunnerSpec,
  what: string,
  said = "",
): Promise<BerthError> {
  const output = await readOutput(host, folder, 20);
  return new BerthError("runner-failed", {
    where: `host ${host.name}: ${name}`,
    what,
    detail: [said, output].filter((text) => text !== "").join("\n"),
  });
}
