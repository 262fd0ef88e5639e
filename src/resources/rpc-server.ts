/** llama.cpp's RPC server, and the relay before it that admits the primary alone. */
import { posix } from "node:path";

import { readInstallation, type Installation } from "../install/installation.js";
import { BerthError } from "../lib/errors.js";
import { lastLines } from "../lib/format.js";
import { relayArguments, relayConfiguration, relayPath } from "../runtime/relay-configuration.js";
import type { RunnerSpec } from "../runtime/supervisor.js";
import type { Context } from "./kind.js";
import type { SubordinateInputs } from "./subordinate-inputs.js";
import { notUp, partDefinition, specOfPart, type Part, type PartSpecs } from "./subordinate-part.js";

const pollSeconds = 0.1;

export function rpcSpecs(inputs: SubordinateInputs, { executable: engine }: Installation, folder: string): PartSpecs {
  const { address, port, admits, serverPort, haproxy } = inputs;
  const executable = posix.join(posix.dirname(engine), inputs.executable);
  const [on, at] = listening(inputs);
  const server = specOfPart(folder, "server", [executable, "-H", on, "-p", String(at)], inputs.env);
  if (haproxy === undefined || serverPort === undefined) return new Map([["server", server]]);
  const relayFolder = partDefinition(folder, "relay").folder;
  // What is in the file counts as much as the arguments.
  const told = { BERTH_RELAY: JSON.stringify({ address, port, admits, serverPort }) };
  const relay = specOfPart(folder, "relay", relayArguments(haproxy, relayFolder), told);
  return new Map<Part, RunnerSpec>([
    ["server", server],
    ["relay", relay],
  ]);
}

/** Where its server listens. */
function listening({ address, port, serverPort }: SubordinateInputs): [address: string, port: number] {
  return serverPort === undefined ? [address, port] : ["127.0.0.1", serverPort];
}

/** Whether the file of the relay is the one that was written. */
export async function isRelayFile({ host }: Context, inputs: SubordinateInputs, folder: string): Promise<boolean> {
  return (await host.readText(relayPath(folder))) === relayText(inputs);
}

function relayText({ address, port, admits, serverPort = 0 }: SubordinateInputs): string {
  return relayConfiguration({ address, port, admits, serverPort });
}

/** Starts the parts, one after the other, each when the one before answers. @throws BerthError `runner-failed` */
export async function startRpc(context: Context, inputs: SubordinateInputs, specs: PartSpecs): Promise<void> {
  const { host, supervisor } = context;
  const keeper = supervisor(inputs.runtime);
  await assertExecutable(context, specs);
  await keeper.prepare();
  for (const [part, spec] of specs) {
    if (part === "relay") await host.writeFile(relayPath(spec.folder), relayText(inputs), 0o600);
    await keeper.start(spec);
    await awaitPort(context, inputs, part, spec);
    if (part === "server") await assertAnswers(context, inputs, spec);
  }
}

async function assertExecutable({ host }: Context, specs: PartSpecs): Promise<void> {
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
  const until = clock.now().getTime() + spec.startSeconds * 1000;
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
    timeoutSeconds: spec.startSeconds,
  });
  if (asked.stdout.includes(`${at} `) || asked.stdout.includes(`${at}]`)) return;
  const said = lastLines(`${asked.stdout}\n${asked.stderr}`, 5);
  throw await notUp(context, inputs, spec, `its server has no device for ${backend} ${version}`, said);
}
