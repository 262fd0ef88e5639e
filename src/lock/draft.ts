/** Deployments before they are placed: what they run, where they may run, and in which ways. */
import type { Catalogue } from "../catalog/catalogue.js";
import { draftRelease, type DraftRelease } from "../catalog/release.js";
import { digest } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import type { MemoryModel } from "../model/memory-model.js";
import { stockOf } from "../planner/fleet-hosts.js";
import { findFitting, knownHost, type KnownHost } from "../planner/host-choice.js";
import type { EngineMemory, Ways } from "../planner/way.js";
import { listWays } from "../planner/ways.js";
import type { LockFile } from "../schema/lock.js";
import type { LockedModel } from "../schema/model.js";
import type { HostSelector } from "../schema/selector.js";
import type { DeploymentEntry, StackFile } from "../schema/stack.js";
import { kindOf, kindsOf } from "./kind.js";
import { lockModel, type ModelEdges } from "./model.js";
import { knownEngine, knownModel } from "./previous.js";

export interface DraftProblem {
  readonly stack: StackFile;
  readonly catalogue: Catalogue;
  readonly previous: LockFile | undefined;
  readonly upgradeModels?: boolean;
}

/** A deployment before it is placed. */
export interface Draft {
  readonly name: string;
  readonly deployment: DeploymentEntry;
  readonly selector: HostSelector;
  readonly model: LockedModel;
  /** The hosts that come into question; all need the same release, and have accelerators of one type, or use none. */
  readonly hosts: readonly string[];
  /** As it is for each kind of them, by the word of {@link kindOf}. */
  readonly kinds: ReadonlyMap<string, DraftRelease>;
  readonly ways: Ways;
  /** Why hosts with the right labels do not come into question, by host. */
  readonly leftOut: Readonly<Record<string, string>>;
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
  for (const [name, deployment] of Object.entries(problem.stack.deployments))
    drafts.push(await draftDeployment(problem, hosts, { name, deployment }, edges));
  return drafts;
}

async function draftDeployment(
  problem: DraftProblem,
  hosts: Hosts,
  { name, deployment }: { readonly name: string; readonly deployment: DeploymentEntry },
  edges: DraftEdges,
): Promise<Draft> {
  const { stack, catalogue, previous, upgradeModels = false } = problem;
  const asker = { part: "release", name } as const;
  const where = `deployment ${name}`;
  const selector = deployment.hostSelector ?? lookUp(catalogue.backends, deployment.backend)?.hostSelector ?? {};
  const fitting = findFitting({ stack, hosts, selector }, name, deployment);
  const isUpgraded = upgradeModels && deployment.model.source === "huggingface";
  const known = isUpgraded ? undefined : knownModel(previous, deployment.model, asker);
  const { pip: indexUrl, huggingface: hubEndpoint } = stack.mirrors;
  const model = await lockModel({ model: deployment.model, before: known, indexUrl, hubEndpoint, where }, edges);
  const before = knownEngine(previous, stack, asker);
  const draftFor = (host: string) => {
    const [platform] = kindsOf([host], hosts);
    if (platform === undefined) throw new Error(`no platform of host ${host}`);
    return draftRelease({ catalogue, deployment, model, platform, before, where });
  };
  const placedBefore = Object.values(previous?.placement.instances ?? {}).filter(
    (instance) => instance.deployment === name,
  );
  const chosen = chooseKind(
    fitting,
    hosts,
    draftFor,
    placedBefore.map(({ host }) => host),
  );
  const engine = await readEngine({ name, deployment, model, chosen, hosts }, stack, edges);
  return { name, deployment, selector, model, ...chosen, ways: waysOf({ deployment, chosen, hosts, engine }) };
}

type Chosen = Pick<Draft, "hosts" | "kinds" | "leftOut">;

/**
 * The hosts of one kind: those for which the release and the type of accelerator are the same. Of several kinds the one that has the deployment
 * already, else one whose accelerators the backend uses, else the one with the most hosts.
 */
function chooseKind(
  fitting: readonly string[],
  hosts: Hosts,
  draftFor: (host: string) => DraftRelease,
  before: readonly string[],
): Chosen {
  const drafts = new Map<string, DraftRelease | BerthError>();
  for (const host of fitting) {
    const kind = kindOf(host, hosts);
    if (!drafts.has(kind))
      drafts.set(
        kind,
        attempt(() => draftFor(host)),
      );
  }
  const groups = new Map<string, { hosts: string[]; kinds: Map<string, DraftRelease> }>();
  for (const host of fitting) {
    const kind = kindOf(host, hosts);
    const draft = drafts.get(kind);
    if (draft === undefined || draft instanceof BerthError) continue;
    const { release, install, platform } = draft;
    const key = digest({ release, install, type: platform.acceleratorType });
    const group = groups.get(key) ?? { hosts: [], kinds: new Map<string, DraftRelease>() };
    group.hosts.push(host);
    group.kinds.set(kind, draft);
    groups.set(key, group);
  }
  const [best] = [...groups.values()].sort(
    (a, b) => rankOf(b, before) - rankOf(a, before) || b.hosts.length - a.hosts.length || compare(a.hosts, b.hosts),
  );
  if (best === undefined)
    throw [...drafts.values()].find((draft) => draft instanceof BerthError) ?? new Error("no host");
  const others = fitting.filter((host) => !best.hosts.includes(host));
  const leftOut = others.map((host) => [host, describeLeftOut(drafts.get(kindOf(host, hosts)))] as const);
  return { ...best, leftOut: Object.fromEntries(leftOut) };
}

function rankOf(
  { hosts, kinds }: { readonly hosts: readonly string[]; readonly kinds: ReadonlyMap<string, DraftRelease> },
  before: readonly string[],
): number {
  if (before.some((host) => hosts.includes(host))) return 2;
  return [...kinds.values()].some(({ platform }) => platform.acceleratorType !== "cpu") ? 1 : 0;
}

function compare([one = ""]: readonly string[], [other = ""]: readonly string[]): number {
  return one < other ? -1 : 1;
}

function describeLeftOut(draft: DraftRelease | BerthError | undefined): string {
  if (draft instanceof BerthError) return draft.parts.what;
  const { os, arch, acceleratorType } = draft?.platform ?? {};
  return `it is of another kind: ${os}/${arch} with ${acceleratorType}`;
}

function attempt(draft: () => DraftRelease): DraftRelease | BerthError {
  try {
    return draft();
  } catch (error) {
    if (error instanceof BerthError && error.code === "host-unsuitable") return error;
    throw error;
  }
}

interface EngineProblem {
  readonly name: string;
  readonly deployment: DeploymentEntry;
  readonly model: LockedModel;
  readonly chosen: Chosen;
  readonly hosts: Hosts;
}

/** What is known of the engine's memory; nothing is read where the stack states it, or nothing is placed by it. */
async function readEngine(
  { name, deployment, model, chosen, hosts }: EngineProblem,
  stack: StackFile,
  edges: DraftEdges,
): Promise<EngineMemory> {
  const [draft] = chosen.kinds.values();
  if (draft === undefined) throw new Error(`deployment ${name} has no host`);
  const { backend, isExact } = draft;
  const unknown = (reason: string) => ({ kind: "unknown", reason }) as const;
  if (backend.memory === undefined) return unknown(`how ${backend.name} makes its memory is not known`);
  const { ramBytes, vramBytes } = deployment.resources ?? {};
  const hasDevices = stockFor(chosen, hosts).kind === "devices";
  if (vramBytes !== undefined || (!hasDevices && ramBytes !== undefined)) return unknown("the stack states it");
  // Without devices only the host's memory counts, which is known of llama-server alone.
  if (!hasDevices && (backend.memory.engine !== "llama-cpp" || model.from.source === "url"))
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

function stockFor({ hosts: chosen, kinds }: Chosen, hosts: Hosts) {
  const [draft] = kinds.values();
  return stockOf(
    draft?.platform.acceleratorType ?? "cpu",
    chosen.map((host) => knownHost(hosts, host).facts),
  );
}

function waysOf({
  deployment,
  chosen,
  hosts,
  engine,
}: Pick<EngineProblem, "deployment" | "chosen" | "hosts"> & { readonly engine: EngineMemory }): Ways {
  const [draft] = chosen.kinds.values();
  if (draft === undefined) throw new Error("a deployment without a host");
  return listWays({
    deployment,
    parameters: draft.release.parameters,
    engine,
    tensorParallelSize: draft.constraints.tensorParallelSize,
    tensorParallelFlag: draft.backend.flags.tensorParallelSize[0],
    devices: stockFor(chosen, hosts),
  });
}
