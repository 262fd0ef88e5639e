import type { Catalogue } from "../catalog/catalogue.js";
import { finishRelease, type DraftRelease } from "../catalog/release.js";
import { digest, type Json } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import { bindDeployment } from "../planner/binding.js";
import type { KnownHost } from "../planner/host-choice.js";
import { explainPlaces } from "../planner/place-text.js";
import { place } from "../planner/placement.js";
import { findPlainSecrets } from "../planner/plain-secrets.js";
import { placeReplicas } from "../planner/replica-placement.js";
import type { ReplicaPlace, ReplicaProblem } from "../planner/replica-problem.js";
import type { LockedDeployment, LockedPreload, LockFile, PlacedHost, Promotable } from "../schema/lock.js";
import type { PreloadEntry } from "../schema/preload.js";
import type { HostSelector } from "../schema/selector.js";
import type { HostEntry, StackFile } from "../schema/stack.js";
import { draftReleases, type Draft, type DraftEdges } from "./draft.js";
import { lockInputs, type LockInputs } from "./inputs.js";
import { findEdits, lockId } from "./integrity.js";
import { assertOneRelease, kindOf } from "./kind.js";
import { askOnce, type LookUps } from "./look-ups.js";
import type { Pinned } from "./pin-problem.js";
import { pinInstall } from "./pin.js";
import { draftPreloads, pinPreload, type DraftPreload } from "./preload.js";
import { forgetReleases, lockedEngines } from "./previous.js";

/** What a lock is solved from. */
export interface LockProblem {
  /** Whose stack it is, as project/stack. */
  readonly owner: string;
  readonly stack: StackFile;
  /** What the stack file says, without defaults. */
  readonly written: Json;
  readonly catalogue: Catalogue;
  /** The lock before this one: what it decided stays where the stack does not ask for something else. */
  readonly previous: LockFile | undefined;
  /** SHA-256 of the files that the lock before resolved and that are there, by their path below `stacks`. */
  readonly resolved: Readonly<Record<string, string>>;
  /** Take the present commits of models' revisions, not those that the lock before has. */
  readonly upgradeModels?: boolean;
  /** Deployments whose versions and artifacts are chosen as if there had been no lock; with `all` what lies ready too. */
  readonly renewed?: "all" | readonly string[];
  /** What another environment has settled, for one that takes its releases from there alone. */
  readonly promoted?: Promotable | undefined;
}

/** What has to be looked up outside. */
export interface LockEdges extends LookUps, DraftEdges {
  knowHost(name: string, entry: HostEntry): Promise<KnownHost>;
}

export interface SolvedLock {
  readonly lock: LockFile;
  /** Text files that the lock refers to and that are to be written, by their path below `stacks`. */
  readonly files: Readonly<Record<string, string>>;
  /** One line for each deployment: what was chosen, and why. */
  readonly reasons: readonly string[];
  readonly warnings: readonly string[];
}

/** Solves a stack: every version, digest, host, port and command is decided here. Equal inputs give an equal lock. */
export async function buildLock(problem: LockProblem, edges: LockEdges): Promise<SolvedLock> {
  const { previous } = problem;
  const hosts = await knowHosts(problem, edges);
  const releasing = { ...problem, previous: forgetReleases(previous, problem.renewed ?? []) };
  const candidates = await draftReleases(releasing, hosts, edges);
  const places = placeReplicas(replicaProblem(problem, hosts, candidates));
  const drafts = candidates.map((draft) => settleDraft(draft, hosts, places));
  const ready = await draftPreloads(releasing, hosts, edges);
  const stack = bindStack(problem.stack, hosts, drafts, ready);
  const { release, preload, pinned } = await pinDrafts(releasing, drafts, ready, askOnce(edges));
  const { owner } = problem;
  const before = { previous: previous?.placement, releaseBefore: previous?.release };
  const placement = place({ owner, stack, release, preload, hosts, places, ...before });
  const decided = { release, ...(ready.length === 0 ? {} : { preload }), placement };
  const warnings = [...drafts.flatMap(({ draft }) => draft.warnings), ...pinned.flatMap((each) => each.warnings)];
  return {
    lock: { lockVersion: 1, id: lockId(decided), inputs: lockInputs(problem), ...decided },
    files: Object.fromEntries(pinned.flatMap(({ file }) => (file === undefined ? [] : [[file.path, file.text]]))),
    reasons: [
      ...drafts.map(({ name, draft }) => `${name}: ${draft.reason}`),
      ...candidates.flatMap((draft) => explainPlaces(draft, places)),
      ...ready.flatMap(({ name, engines: [engine] }) =>
        engine === undefined ? [] : [`preload ${name}: ${engine.reason}`],
      ),
    ],
    warnings: [...hostWarnings(hosts), ...findPlainSecrets(problem.stack), ...new Set(warnings)],
  };
}

/** What the hosts of a stack are now. */
export async function knowHosts(
  { stack, previous }: Pick<LockProblem, "stack" | "previous">,
  edges: Pick<LockEdges, "knowHost">,
): Promise<Record<string, KnownHost>> {
  const known = Object.entries(stack.hosts).map(
    async ([name, entry]) => [name, await knowOrRemember(name, entry, previous?.placement.hosts[name], edges)] as const,
  );
  return Object.fromEntries(await Promise.all(known));
}

/** What placement is asked for deployments that are drafted. */
export function replicaProblem(
  { owner, stack, previous }: Pick<LockProblem, "owner" | "stack" | "previous">,
  hosts: Readonly<Record<string, KnownHost>>,
  drafts: readonly Draft[],
): ReplicaProblem {
  const candidates = drafts.map(({ model, ...draft }) => ({ ...draft, modelSha256: model.sha256 }));
  const before = Object.entries(previous?.release ?? {}).map(([name, { model }]) => [name, model.sha256] as const);
  const modelsBefore = Object.fromEntries(before);
  return { owner, stack, hosts, candidates, previous: previous?.placement, modelsBefore };
}

/** A deployment whose hosts are chosen. */
interface SettledDraft {
  readonly name: string;
  readonly selector: HostSelector;
  readonly hosts: readonly string[];
  readonly draft: DraftRelease;
  /** As it is for each kind of its hosts; the first is the draft. */
  readonly kinds: readonly DraftRelease[];
}

function settleDraft(
  { name, selector, kinds }: Draft,
  hosts: Readonly<Record<string, KnownHost>>,
  places: ReadonlyMap<string, ReplicaPlace>,
): SettledDraft {
  const chosen = [...places.values()].filter(({ deployment }) => deployment === name).map(({ host }) => host);
  const own = [...new Set(chosen.map((host) => kindOf(host, hosts)))].flatMap((kind) => kinds.get(kind) ?? []);
  const [draft] = own;
  if (draft === undefined) throw new Error(`deployment ${name} has no host`);
  return { name, selector, hosts: chosen, draft, kinds: own };
}

async function pinDrafts(
  { stack: { mirrors }, catalogue, previous, resolved }: LockProblem,
  drafts: readonly SettledDraft[],
  ready: readonly DraftPreload[],
  lookUps: LookUps,
): Promise<{ release: LockFile["release"]; preload: Record<string, LockedPreload>; pinned: readonly Pinned[] }> {
  const pinning = { catalogue, mirrors, previous: lockedEngines(previous), resolved };
  const release: Record<string, LockedDeployment> = {};
  const preload: Record<string, LockedPreload> = {};
  const pinned: Pinned[] = [];
  for (const { name, draft, kinds } of drafts) {
    const found: Pinned[] = [];
    // Each is asked for, because a release may lack the file of one kind of host.
    for (const kind of kinds) found.push(await pinInstall(pinning, kind, lookUps));
    const [first] = found;
    if (first === undefined) throw new Error(`deployment ${name} has no host`);
    assertOneRelease(
      name,
      kinds.map((kind, index) => ({ draft: kind, install: found[index]?.install ?? first.install })),
    );
    release[name] = finishRelease(draft, first.install);
    pinned.push(...found);
  }
  for (const draft of ready) {
    const { locked, pinned: found } = await pinPreload(pinning, draft, lookUps);
    preload[draft.name] = locked;
    pinned.push(...found);
  }
  return { release, preload, pinned };
}

/** A host that does not answer now is the one that it was when the lock before was solved. */
async function knowOrRemember(
  name: string,
  entry: HostEntry,
  before: PlacedHost | undefined,
  edges: Pick<LockEdges, "knowHost">,
): Promise<KnownHost> {
  try {
    return await edges.knowHost(name, entry);
  } catch (error) {
    const isAway = error instanceof BerthError && error.code === "host-unreachable";
    if (!isAway || before === undefined || digest(before.ssh ?? null) !== digest(entry.ssh ?? null)) throw error;
    const { facts, usage, dataDir } = before;
    const warnings = ["does not answer; what the lock before knew of it is taken"];
    return { facts, usage, dataDir: entry.dataDir ?? dataDir, warnings };
  }
}

function hostWarnings(hosts: Readonly<Record<string, KnownHost>>): string[] {
  return Object.entries(hosts).flatMap(([name, { warnings = [] }]) =>
    warnings.map((warning) => `host ${name}: ${warning}`),
  );
}

/** The stack, with what was decided before placing in the fields of its deployments. */
function bindStack(
  stack: StackFile,
  hosts: Readonly<Record<string, KnownHost>>,
  drafts: readonly SettledDraft[],
  ready: readonly DraftPreload[],
): StackFile {
  const bound = drafts.map(({ name, selector, hosts: chosen, draft: { constraints } }) => {
    const deployment = lookUp(stack.deployments, name);
    if (deployment === undefined) throw new Error(`no deployment ${name}`);
    const { host: address, ...rest } = constraints;
    const accelerators = new Map(chosen.map((host) => [host, hosts[host]?.facts.accelerators.length ?? 0]));
    return [name, bindDeployment(name, deployment, { selector, address, accelerators, ...rest })] as const;
  });
  const preload = ready.map(({ name, hosts: on }): [string, PreloadEntry] => [
    name,
    { ...stack.preload[name], hosts: [...on] },
  ]);
  return { ...stack, deployments: Object.fromEntries(bound), preload: Object.fromEntries<PreloadEntry>(preload) };
}

/**
 * Why a lock does not hold for a stack any more; undefined while it does. Free memory or ports never make it stale,
 * nor does a new default of a later version of Berth.
 *
 * @param edits of the lock, for those who know them
 */
export function findStaleness(
  lock: LockFile,
  problem: LockInputs,
  edits: readonly string[] = findEdits(lock),
): string | undefined {
  const now = lockInputs(problem);
  if (edits.length > 0) return "the lock itself was changed by hand, or by a merge";
  if (lock.inputs.stack !== now.stack) return "the stack file was changed";
  if (lock.inputs.backends !== now.backends) return "a backend that the stack uses was changed";
  return undefined;
}

/** Whether two locks differ at most in what others used of the hosts when they were solved. */
export function decideAlike(one: LockFile, other: LockFile): boolean {
  return digest(withoutUsage(one)) === digest(withoutUsage(other));
}

function withoutUsage({ placement, ...rest }: LockFile): Json {
  const hosts = Object.entries(placement.hosts).map(([name, { usage: _, ...host }]) => [name, host] as const);
  return { ...rest, placement: { ...placement, hosts: Object.fromEntries(hosts) } };
}
