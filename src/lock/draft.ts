/** Deployments before they are placed: what they run, where they may run, and in which ways. */
import type { Catalogue } from "../catalog/catalogue.js";
import { draftPromoted } from "../catalog/promoted.js";
import { draftRelease } from "../catalog/release.js";
import { lookUp } from "../lib/record.js";
import type { MemoryModel } from "../model/memory-model.js";
import { stagesIn } from "../model/vllm-arguments.js";
import { stockOf } from "../planner/fleet-hosts.js";
import { findFitting, knownHost, type KnownHost } from "../planner/host-choice.js";
import type { DeviceStock, EngineMemory, Ways } from "../planner/way.js";
import { listWays } from "../planner/ways.js";
import type { LockFile, Promotable } from "../schema/lock.js";
import type { LockedModel } from "../schema/model.js";
import type { HostSelector } from "../schema/selector.js";
import type { DeploymentEntry, StackFile } from "../schema/stack.js";
import { chooseKind, type Chosen } from "./kind-choice.js";
import { lockModel, type ModelEdges } from "./model.js";
import { platformOf } from "./platform.js";
import { knownEngine, knownModel } from "./previous.js";
import { findRunnerImages } from "./runner-image.js";

export interface DraftProblem {
  readonly stack: StackFile;
  readonly catalogue: Catalogue;
  readonly previous: LockFile | undefined;
  readonly upgradeModels?: boolean;
  /** What another environment has settled: nothing of it is decided anew. */
  readonly promoted?: Promotable | undefined;
}

/** A deployment before it is placed. */
export interface Draft extends Chosen {
  readonly name: string;
  readonly deployment: DeploymentEntry;
  readonly selector: HostSelector;
  readonly model: LockedModel;
  readonly ways: Ways;
}

/** What a model's memory is read by. */
export interface MemoryRequest {
  readonly model: LockedModel;
  /** The hub of models that name none. */
  readonly hubEndpoint: string | undefined;
  /** Name of the secret that is the token. */
  readonly token: string | undefined;
  /** Whether files of the hosts are files of this machine. */
  readonly isLocal: boolean;
  /** What names the model, for errors. */
  readonly where: string;
}

export interface DraftEdges extends ModelEdges {
  /**
   * Undefined for files that are nowhere to be read before they are on a host.
   *
   * @throws BerthError `model-unavailable`
   */
  readMemory(request: MemoryRequest): Promise<MemoryModel | undefined>;
}

type Hosts = Readonly<Record<string, KnownHost>>;

export async function draftReleases(problem: DraftProblem, hosts: Hosts, edges: DraftEdges): Promise<Draft[]> {
  const drafts: Draft[] = [];
  const stockFor = countOnce(hosts);
  for (const [name, deployment] of Object.entries(problem.stack.deployments))
    drafts.push(await draftDeployment(problem, { hosts, stockFor }, { name, deployment }, edges));
  return drafts;
}

/** Many deployments may have the same hosts, of which there may be a thousand. */
function countOnce(hosts: Hosts): (chosen: Chosen) => DeviceStock {
  const known = new Map<string, DeviceStock>();
  return ({ hosts: names, kinds }) => {
    const [draft] = kinds.values();
    const type = draft?.platform.acceleratorType ?? "cpu";
    const key = [type, ...names].join(" ");
    const stock =
      known.get(key) ??
      stockOf(
        type,
        names.map((name) => knownHost(hosts, name).facts),
      );
    known.set(key, stock);
    return stock;
  };
}

async function draftDeployment(
  problem: DraftProblem,
  { hosts, stockFor }: { readonly hosts: Hosts; readonly stockFor: (chosen: Chosen) => DeviceStock },
  { name, deployment }: { readonly name: string; readonly deployment: DeploymentEntry },
  edges: DraftEdges,
): Promise<Draft> {
  const { stack, catalogue, previous } = problem;
  const where = `deployment ${name}`;
  const selector = deployment.hostSelector ?? lookUp(catalogue.backends, deployment.backend)?.hostSelector ?? {};
  const fitting = findFitting({ stack, hosts, selector }, name, deployment);
  const locked = lookUp(problem.promoted?.release ?? {}, name);
  const model = locked?.model ?? (await lockOwnModel(problem, { name, deployment }, edges));
  const before = knownEngine(previous, stack, { part: "release", name });
  const placedBefore = Object.values(previous?.placement.instances ?? {})
    .filter((instance) => instance.deployment === name)
    .map(({ host }) => host);
  const findRunnerImage = findRunnerImages({
    ...{ runners: catalogue.runners, hosts, fitting, asked: deployment.runnerImage, where },
    before: { engine: before, hosts: placedBefore },
  });
  const draftFor = (host: string) => {
    const { facts } = knownHost(hosts, host);
    const platform = platformOf(hosts[host]);
    if (locked !== undefined) return draftPromoted({ locked, catalogue, platform, facts, where });
    const found = findRunnerImage(host);
    return draftRelease({ catalogue, deployment, model, platform, before, findRunnerImage: found, where });
  };
  const chosen = chooseKind(fitting, hosts, draftFor, placedBefore);
  const devices = stockFor(chosen);
  const engine = await readEngine({ name, deployment, model, chosen, devices }, stack, edges);
  return { name, deployment, selector, model, ...chosen, ways: waysOf({ name, deployment, chosen, devices, engine }) };
}

async function lockOwnModel(
  { stack, previous, upgradeModels = false }: DraftProblem,
  { name, deployment: { model } }: { readonly name: string; readonly deployment: DeploymentEntry },
  edges: DraftEdges,
): Promise<LockedModel> {
  const isUpgraded = upgradeModels && model.source === "huggingface";
  const before = isUpgraded ? undefined : knownModel(previous, model, { part: "release", name });
  const { pip: indexUrl, huggingface: hubEndpoint } = stack.mirrors;
  return lockModel({ model, before, indexUrl, hubEndpoint, where: `deployment ${name}` }, edges);
}

interface EngineProblem {
  readonly name: string;
  readonly deployment: DeploymentEntry;
  readonly model: LockedModel;
  readonly chosen: Chosen;
  readonly devices: DeviceStock;
}

/** What is known of the engine's memory; nothing is read where the stack states it, or nothing is placed by it. */
async function readEngine(
  { name, deployment, model, chosen, devices }: EngineProblem,
  stack: StackFile,
  edges: DraftEdges,
): Promise<EngineMemory> {
  const [draft] = chosen.kinds.values();
  if (draft === undefined) throw new Error(`deployment ${name} has no host`);
  const { backend, isExact } = draft;
  const unknown = (reason: string) => ({ kind: "unknown", reason }) as const;
  if (backend.memory === undefined) return unknown(`how ${backend.name} makes its memory is not known`);
  const { ramBytes, vramBytes } = deployment.resources ?? {};
  const hasDevices = devices.kind === "devices";
  if (vramBytes !== undefined || (!hasDevices && ramBytes !== undefined)) return unknown("the stack states it");
  // Without devices only the host's memory counts, which is known of llama-server alone.
  // Over several hosts it is shared out by what is known of it.
  const isShared = deployment.placement.distributed;
  if (!hasDevices && (backend.memory.engine !== "llama-cpp" || (model.from.source === "url" && !isShared)))
    return unknown("nothing is placed by it");
  const read = await edges.readMemory({
    model,
    hubEndpoint: stack.mirrors.huggingface,
    token: deployment.model.source === "huggingface" ? deployment.model.token?.secret : undefined,
    isLocal: chosen.hosts.every((host) => stack.hosts[host]?.connection === "local"),
    where: `deployment ${name}`,
  });
  if (read === undefined) return unknown("its model's files are not read before they are on a host");
  if (read.engine !== backend.memory.engine)
    return unknown(`the form of its model is none whose memory is known with ${backend.name}`);
  return { kind: "known", model: read, isExact };
}

function waysOf({
  name,
  deployment,
  chosen,
  devices,
  engine,
}: Pick<EngineProblem, "name" | "deployment" | "chosen" | "devices"> & { readonly engine: EngineMemory }): Ways {
  const [draft] = chosen.kinds.values();
  if (draft === undefined) throw new Error("a deployment without a host");
  const { parameters } = draft.release;
  const { flags } = draft.backend;
  return listWays({
    where: `deployment ${name}`,
    deployment,
    parameters,
    variables: [draft.release.env, deployment.secretEnv].flatMap(Object.keys),
    engine,
    tensorParallelSize: draft.constraints.tensorParallelSize,
    tensorParallelFlag: flags.tensorParallelSize[0],
    pipelineParallelSize: stagesIn(parameters, flags.pipelineParallelSize),
    pipelineParallelFlag: flags.pipelineParallelSize[0],
    devices,
    distributed: draft.release.distributed,
  });
}
