import { autoBackends } from "../catalog/backend-choice.js";
import type { Catalogue } from "../catalog/catalogue.js";
import { draftRelease, finishRelease, type DraftRelease } from "../catalog/release.js";
import type { Platform } from "../catalog/selection.js";
import { digest, type Json } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import { bindDeployment } from "../planner/binding.js";
import { chooseHost, type KnownHost } from "../planner/host-choice.js";
import { place } from "../planner/placement.js";
import type { LockedDeployment, LockFile, PlacedHost } from "../schema/lock.js";
import type { HostEntry, StackFile } from "../schema/stack.js";
import { askOnce, type LookUps } from "./look-ups.js";
import { lockModel, type ModelEdges } from "./model.js";
import { pinInstall } from "./pin.js";

/** What a lock is solved from. */
export interface LockProblem {
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
}

type LockInputs = Pick<LockProblem, "stack" | "written" | "catalogue">;

/** What has to be looked up outside. */
export interface LockEdges extends LookUps, ModelEdges {
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
  const known = await Promise.all(
    Object.entries(problem.stack.hosts).map(
      async ([name, entry]) =>
        [name, await knowOrRemember(name, entry, previous?.placement.hosts[name], edges)] as const,
    ),
  );
  const hosts = Object.fromEntries(known);
  const drafts = await draftReleases(problem, hosts, edges);
  const stack = bindStack(problem.stack, hosts, drafts);
  const release: Record<string, LockedDeployment> = {};
  const files: Record<string, string> = {};
  const { catalogue, resolved } = problem;
  const pinning = { catalogue, mirrors: stack.mirrors, previous: previous?.release ?? {}, resolved };
  const lookUps = askOnce(edges);
  const warnings = drafts.flatMap(({ draft }) => draft.warnings);
  for (const { name, draft } of drafts) {
    const { install, file, warnings: odd } = await pinInstall(pinning, draft, lookUps);
    warnings.push(...odd);
    release[name] = finishRelease(draft, install);
    if (file !== undefined) files[file.path] = file.text;
  }
  const placement = place({ stack, release, hosts, previous: previous?.placement });
  return {
    lock: { lockVersion: 1, id: lockId(release, placement), inputs: lockInputs(problem), release, placement },
    files,
    reasons: drafts.map(({ name, draft }) => `${name}: ${draft.reason}`),
    warnings: [...hostWarnings(hosts), ...new Set(warnings)],
  };
}

/** A host that does not answer now is the one that it was when the lock before was solved. */
async function knowOrRemember(
  name: string,
  entry: HostEntry,
  before: PlacedHost | undefined,
  edges: LockEdges,
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

interface Draft {
  readonly name: string;
  readonly host: string;
  readonly draft: DraftRelease;
}

async function draftReleases(
  { stack, catalogue, previous, upgradeModels = false }: LockProblem,
  hosts: Readonly<Record<string, KnownHost>>,
  edges: LockEdges,
): Promise<Draft[]> {
  const drafts: Draft[] = [];
  for (const [name, deployment] of Object.entries(stack.deployments)) {
    const before = previous?.release[name];
    const selector = lookUp(catalogue.backends, deployment.backend)?.hostSelector ?? {};
    const host = chooseHost({ stack, hosts, selector }, name, deployment);
    const where = `deployment ${name}`;
    const known = upgradeModels && before?.model.from.source === "huggingface" ? undefined : before?.model;
    const { pip: indexUrl, huggingface: hubEndpoint } = stack.mirrors;
    const wanted = { model: deployment.model, before: known, indexUrl, hubEndpoint, where };
    const model = await lockModel(wanted, edges);
    const platform = platformOf(hosts[host]);
    const draft = draftRelease({ catalogue, deployment, model, platform, before, where });
    drafts.push({ name, host, draft });
  }
  return drafts;
}

/** What of a host decides how a backend is installed there. */
function platformOf(host: KnownHost | undefined): Platform {
  if (host === undefined) throw new Error("a host without facts was chosen");
  const { os, arch, accelerators } = host.facts;
  return { os, arch, acceleratorType: accelerators[0]?.type ?? "cpu" };
}

/** The stack, with what was decided before placing in the fields of its deployments. */
function bindStack(stack: StackFile, hosts: Readonly<Record<string, KnownHost>>, drafts: readonly Draft[]): StackFile {
  const bound = drafts.map(({ name, host, draft: { constraints } }) => {
    const deployment = lookUp(stack.deployments, name);
    if (deployment === undefined) throw new Error(`no deployment ${name}`);
    const { host: address, ...rest } = constraints;
    const accelerators = hosts[host]?.facts.accelerators.length ?? 0;
    return [name, bindDeployment(name, deployment, { host, address, accelerators, ...rest })] as const;
  });
  return { ...stack, deployments: Object.fromEntries(bound) };
}

/**
 * Why a lock does not hold for a stack any more; undefined while it does. Free memory or ports never make it stale,
 * nor does a new default of a later version of Berth.
 */
export function findStaleness(lock: LockFile, problem: LockInputs): string | undefined {
  const now = lockInputs(problem);
  if (lock.id !== lockId(lock.release, lock.placement)) return "the lock itself was changed by hand, or by a merge";
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

/** Digests of all that a lock depends on. Only the backends that the stack can use count, with the files they name. */
function lockInputs({ stack, written, catalogue }: LockInputs): LockFile["inputs"] {
  const named = Object.values(stack.deployments).flatMap(({ backend }) =>
    backend === "auto" ? autoBackends : [backend],
  );
  const backends = [...new Set(named)].sort().map((name) => {
    const beside = Object.values(lookUp(catalogue.backends, name)?.versions ?? {}).flatMap(({ install: { pipx } }) => [
      pipx?.requirements,
      pipx?.launcher,
    ]);
    const files = Object.entries(catalogue.files).filter(
      ([file]) => file.startsWith(`${name}/`) || beside.includes(file),
    );
    return { backend: lookUp(catalogue.written, name), files: Object.fromEntries(files) };
  });
  return { stack: digest(written), backends: digest(backends) };
}

/** Facts and usage are left out: they are what was seen, not what was decided. */
function lockId(release: LockFile["release"], placement: LockFile["placement"]): string {
  const hosts = Object.entries(placement.hosts).map(([name, host]) => {
    const { facts: _facts, usage: _usage, ...decided } = host;
    return [name, decided] as const;
  });
  return digest({ release, placement: { ...placement, hosts: Object.fromEntries(hosts) } });
}
