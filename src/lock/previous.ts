/** What the lock before decided, where something asks for the same. Pure. */
import { lookUp, sorted } from "../lib/record.js";
import type { LockedEngine, LockFile, Promotable } from "../schema/lock.js";
import type { LockedModel, ModelSource } from "../schema/model.js";
import type { StackFile } from "../schema/stack.js";

/** What asks: a deployment, or an entry of what lies ready. */
export interface Asker {
  readonly part: "release" | "preload";
  readonly name: string;
}

type Previous = LockFile | undefined;

/** A lock without what it decided of releases that are to be chosen anew; where they run stays. */
export function forgetReleases(lock: Previous, renewed: "all" | readonly string[]): Previous {
  if (lock === undefined || renewed.length === 0) return lock;
  if (renewed === "all") return { ...lock, release: {}, preload: {} };
  const kept = Object.entries(lock.release).filter(([name]) => !renewed.includes(name));
  return { ...lock, release: Object.fromEntries(kept) };
}

/** Every backend version that a lock has, by who has it. */
export function lockedEngines(lock: Promotable | undefined): Record<string, LockedEngine> {
  const ready = Object.entries(lock?.preload ?? {}).flatMap(([name, { engine }]) =>
    engine === undefined ? [] : [[`preload ${name}`, engine] as const],
  );
  return { ...lock?.release, ...Object.fromEntries(ready) };
}

/**
 * The backend version of the asker itself, else of what lies ready and asks for the same: a deployment that comes later
 * takes what is there, though the catalogue has moved on.
 */
export function knownEngine(
  previous: Previous,
  stack: Pick<StackFile, "deployments" | "preload">,
  { part, name }: Asker,
): LockedEngine | undefined {
  const own =
    part === "release" ? lookUp(previous?.release ?? {}, name) : lookUp(previous?.preload ?? {}, name)?.engine;
  if (own !== undefined) return own;
  const asked = part === "release" ? lookUp(stack.deployments, name) : lookUp(stack.preload, name);
  const isAlike = (other: { backend?: string | undefined; backendVersion?: string | undefined }) =>
    other.backend === asked?.backend && other.backendVersion === asked?.backendVersion;
  const ready = sorted(previous?.preload ?? {}).filter(([other]) => {
    const written = lookUp(stack.preload, other);
    // An entry that became a deployment of the same name is written no more.
    return written === undefined ? other === name : isAlike(written);
  });
  const deployed = sorted(part === "preload" ? (previous?.release ?? {}) : {}).filter(([other]) =>
    isAlike(lookUp(stack.deployments, other) ?? {}),
  );
  return [...ready.map(([, { engine }]) => engine), ...deployed.map(([, engine]) => engine)].find(
    (engine) => engine !== undefined,
  );
}

/** The model of the asker itself, else the same revision of what lies ready: a branch that moved on changes nothing. */
export function knownModel(previous: Previous, wanted: ModelSource, { part, name }: Asker): LockedModel | undefined {
  const own = part === "release" ? lookUp(previous?.release ?? {}, name) : lookUp(previous?.preload ?? {}, name);
  if (wanted.source !== "huggingface" || isOf(own?.model, wanted)) return own?.model;
  const ready = sorted(previous?.preload ?? {}).map(([, { model }]) => model);
  const deployed = sorted(part === "preload" ? (previous?.release ?? {}) : {}).map(([, { model }]) => model);
  const fitting = [...ready, ...deployed].filter((model) => isOf(model, wanted));
  const patterns = JSON.stringify(wanted.files);
  const same = fitting.find(
    (model) => model?.from.source === "huggingface" && JSON.stringify(model.from.patterns) === patterns,
  );
  return same ?? fitting[0] ?? own?.model;
}

function isOf(model: LockedModel | undefined, { repo, revision }: { repo: string; revision: string }): boolean {
  return model?.from.source === "huggingface" && model.from.repo === repo && model.from.revision === revision;
}
