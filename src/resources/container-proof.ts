/** Whether the container of an instance is the one that the lock asks for, as its engine tells. */
import type { DesiredBackendVersion, DesiredInstance } from "../planner/desired.js";
import { compareArguments, compareEnvironment, compareImage, type ProofRow, type Seen } from "../planner/provenance.js";
import { containerBody, type ContainerBody } from "../runtime/container-body.js";
import { differences } from "../runtime/container-difference.js";
import { readLiveContainer, type SeenContainer } from "../runtime/live-container.js";
import { variablesOf } from "../runtime/live-process.js";
import type { RunnerDefinition } from "../runtime/supervisor.js";
import type { Context } from "./kind.js";

export interface ContainerProblem {
  readonly owner: string;
  readonly instance: DesiredInstance;
  readonly backendVersion: DesiredBackendVersion;
  readonly definition: RunnerDefinition;
  readonly generation: string;
  readonly environment: Seen<Readonly<Record<string, string>>>;
  /** Where it listens behind the gateway. */
  readonly port: number | undefined;
}

export async function proveContainer(context: Context, problem: ContainerProblem): Promise<ProofRow[]> {
  const { definition, environment, backendVersion } = problem;
  const { install } = backendVersion;
  const seen = await readLiveContainer(await context.containerEngine(), context.reference.dataDir, definition);
  const wanted = wantedBody(problem);
  if (install.method !== "image" || wanted === undefined) throw new Error(`${definition.id} is no container`);
  if ("unknown" in seen) return [{ what: "image", wanted: install.reference, found: seen.unknown, verdict: "unknown" }];
  const { image, body, given } = seen.value;
  const entrypoint = wanted.Entrypoint ?? given?.entrypoint ?? [];
  const words = { value: [...(body.Entrypoint ?? []), ...ofEngine(body.Cmd)] };
  return [
    compareImage(install, image),
    compareArguments({ argv: [...entrypoint, ...wanted.Cmd], redact: context.redact }, words),
    compareSettings(wanted, body),
    compareEnvironment("unknown" in environment ? environment : withImage(wanted, seen.value), {
      value: variablesOf(ofEngine(body.Env)),
    }),
  ];
}

/** What the lock asks for; without secrets where they are not known. */
function wantedBody(problem: ContainerProblem): ContainerBody | undefined {
  const { owner, instance, definition, generation, environment, port } = problem;
  const { name, host, placed, container: settings } = instance;
  if (settings === undefined) return undefined;
  const identity = { owner, instance: name, deployment: placed.deployment, host: host.name, dataDir: host.dataDir };
  return containerBody({
    settings,
    argv: instance.argv,
    environment: "unknown" in environment ? {} : environment.value,
    identity: { ...identity, generation },
    // Behind a gateway nobody else asks it.
    bindAddress: placed.slots === undefined ? placed.bindAddress : "127.0.0.1",
    port: port ?? placed.port,
    stopSeconds: definition.stopSeconds,
  });
}

/** Told by rows of their own. */
const compared = ["image", "entrypoint", "command", "environment"];

/** Mounts, ports, devices, privileges and all else that the engine was asked for. */
function compareSettings(wanted: ContainerBody, found: ContainerBody): ProofRow {
  const names = differences(wanted, found).filter((name) => !compared.includes(name));
  const row = { what: "container settings", wanted: "as the lock asks" };
  return names.length === 0
    ? { ...row, found: "the same", verdict: "proven" }
    : { ...row, found: `another: ${names.join(", ")}`, verdict: "differs" };
}

/** What the image gives is wanted too, where nothing else is asked for. */
function withImage({ Env }: ContainerBody, { given }: SeenContainer): Seen<Readonly<Record<string, string>>> {
  if (given === undefined) return { unknown: "the engine has the image no more" };
  return { value: { ...variablesOf(given.environment), ...variablesOf(Env) } };
}

/** Engines leave out, or write as null, what is empty. */
function ofEngine(words: readonly string[] | null | undefined): readonly string[] {
  return words ?? [];
}
