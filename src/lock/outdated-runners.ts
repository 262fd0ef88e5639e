/** Which runner images that are pinned are no longer what they were, or what there is. Pure. */
import type { RunnerCatalogue, RunnerImage } from "../catalog/runner-catalogue.js";
import { chooseRunner } from "../catalog/runner-choice.js";
import type { RunnerFacts } from "../catalog/runner-resolution.js";
import { compareVersions, covers } from "../catalog/version.js";
import { digest } from "../lib/canonical.js";
import { lookUp } from "../lib/record.js";
import type { LockedEngine, LockFile } from "../schema/lock.js";
import type { LockedRunnerImage, RunnerImageChoice } from "../schema/runner-image.js";
import type { StackFile } from "../schema/stack.js";
import { parseConstraint } from "../schema/version-constraint.js";
import type { ImageAnswer } from "./image-digest.js";

/** A runner image of a lock, or one of the catalogue whose digest is known. */
export interface PinnedRunner {
  /** Without a digest; as the lock or the catalogue has it. */
  readonly reference: string;
  readonly digest: string;
  /** Who has it: deployments, and entries of what lies ready; nobody for one of the catalogue. */
  readonly users: readonly RunnerUser[];
}

export interface RunnerUser {
  readonly part: "deployment" | "preload";
  readonly name: string;
  readonly backend: string;
  readonly runnerImage: LockedRunnerImage;
  /** What the stack asks of it. */
  readonly asked: RunnerImageChoice | undefined;
  /** The hosts that have it. */
  readonly hosts: Readonly<Record<string, RunnerFacts>>;
}

export type RunnerFinding =
  /** Its tag has another digest now, by its registry or by the catalogue. */
  | { readonly kind: "moved"; readonly by: "registry" | "catalogue"; readonly digest: string }
  /** Its registry has no such tag any more, or the catalogue no such image. */
  | { readonly kind: "gone"; readonly from: "registry" | "catalogue" }
  | { readonly kind: "deprecated" }
  /** It is known to have been changed under its tag, and nobody tells whether the digest is that of the change. */
  | { readonly kind: "polished" }
  /** The hosts that have it could run a newer one. */
  | {
      readonly kind: "newer";
      readonly reference: string;
      readonly serviceVersion: string;
      readonly acceleratorVersion: string;
      /** Whether only its runtime is newer. */
      readonly isSameService: boolean;
      /** Whether the stack asks for another runtime. */
      readonly isOutsideAsked: boolean;
      readonly part: RunnerUser["part"];
      readonly name: string;
      readonly backend: string;
      readonly service: string;
    };

export interface RunnerReport extends PinnedRunner {
  readonly findings: readonly RunnerFinding[];
  /** Why nobody knows whether its tag has moved. */
  readonly untold?: string;
}

/**
 * The runner images of a lock, by their names.
 *
 * @param stack what asks for them, where it is there
 */
export function runnersOfLock(
  { release, preload = {}, placement }: LockFile,
  stack?: Pick<StackFile, "deployments" | "preload">,
): PinnedRunner[] {
  const users = [
    ...Object.entries(release).map(([name, engine]) => {
      const own = Object.values(placement.instances).filter(({ deployment }) => deployment === name);
      const asked = lookUp(stack?.deployments ?? {}, name)?.runnerImage;
      return { part: "deployment" as const, name, engine, asked, on: own.map(({ host }) => host) };
    }),
    ...Object.entries(preload).map(([name, { engine }]) => {
      const asked = lookUp(stack?.preload ?? {}, name)?.runnerImage;
      return { part: "preload" as const, name, engine, asked, on: placement.preload?.[name]?.hosts ?? [] };
    }),
  ];
  const found = new Map<string, PinnedRunner>();
  for (const { engine, on, ...user } of users) {
    const image = imageOf(engine);
    if (engine === undefined || image === undefined) continue;
    const { reference, runnerImage } = image;
    const key = `${reference}@${image.digest}`;
    const facts = on.flatMap((host) => {
      const known = placement.hosts[host]?.facts;
      return known === undefined ? [] : [[host, known] as const];
    });
    const before = found.get(key)?.users ?? [];
    const added = { ...user, backend: engine.backend, runnerImage, hosts: Object.fromEntries(facts) };
    found.set(key, { reference, digest: image.digest, users: [...before, added] });
  }
  return [...found.values()].sort(byReference);
}

/** Those of the catalogue whose digests are known. */
export function runnersOfCatalogue({ images }: RunnerCatalogue): PinnedRunner[] {
  const known = images.flatMap((image) =>
    image.digest === undefined || !image.published
      ? []
      : [{ reference: referenceOf(image), digest: image.digest, users: [] }],
  );
  return known.sort(byReference);
}

/**
 * What is to be known of a pinned image.
 *
 * @param answer what its registry tells of its tag now; undefined where it was not asked
 */
export function reportRunner(
  pinned: PinnedRunner,
  answer: ImageAnswer | undefined,
  catalogue: RunnerCatalogue,
): RunnerReport {
  const entry = catalogue.images.find((image) => referenceOf(image) === pinned.reference);
  const findings: RunnerFinding[] = [
    ...registryFindings(pinned, answer),
    ...catalogueFindings(pinned, answer, entry),
    ...pinned.users.flatMap((user) => newerFor(user, catalogue)),
  ];
  return { ...pinned, findings, ...(answer?.kind === "refused" ? { untold: answer.reason } : {}) };
}

function registryFindings(pinned: PinnedRunner, answer: ImageAnswer | undefined): RunnerFinding[] {
  if (answer?.kind === "unknown") return [{ kind: "gone", from: "registry" }];
  if (answer?.kind !== "found" || answer.digest === pinned.digest) return [];
  return [{ kind: "moved", by: "registry", digest: answer.digest }];
}

function catalogueFindings(
  pinned: PinnedRunner,
  answer: ImageAnswer | undefined,
  entry: RunnerImage | undefined,
): RunnerFinding[] {
  // Of an image that nothing runs it does not count whether another one is better.
  if (pinned.users.length === 0) return [];
  if (entry === undefined) return [{ kind: "gone", from: "catalogue" }];
  const told = answer?.kind === "found" ? answer.digest : entry.digest;
  const isOther = entry.digest !== undefined && entry.digest !== pinned.digest && answer?.kind !== "found";
  return [
    ...(isOther ? [{ kind: "moved", by: "catalogue", digest: entry.digest } as const] : []),
    ...(entry.deprecated ? [{ kind: "deprecated" } as const] : []),
    ...(entry.polished && told === undefined ? [{ kind: "polished" } as const] : []),
  ];
}

/** What all hosts of a user could run instead: what a lock would choose now, and the newest of all. */
function newerFor(user: RunnerUser, catalogue: RunnerCatalogue): RunnerFinding[] {
  const { part, name, backend, asked, runnerImage, hosts } = user;
  const { service, serviceVersion, acceleratorType, acceleratorVersion } = runnerImage;
  const wanted = asked?.acceleratorVersion === undefined ? undefined : parseConstraint(asked.acceleratorVersion);
  const latest = { service, acceleratorType, variant: variantOf(user), allowRc: asked?.allowRc } as const;
  const sameVersion = { ...latest, serviceVersion: parseConstraint(`==${serviceVersion}`), acceleratorVersion: wanted };
  const found = [sameVersion, { ...latest, policy: "newestService" } as const].flatMap((question): RunnerFinding[] => {
    const choice = chooseRunner(catalogue, hosts, question);
    if (choice.kind === "refused" || Object.values(choice.hosts).some(({ kind }) => kind === "cannot")) return [];
    const { image } = choice;
    const byService = compareVersions(image.serviceVersion, serviceVersion);
    const byRuntime = compareVersions(image.acceleratorVersion, acceleratorVersion);
    if (byService < 0 || (byService === 0 && byRuntime <= 0)) return [];
    const versions = { serviceVersion: image.serviceVersion, acceleratorVersion: image.acceleratorVersion };
    const isOutsideAsked = wanted !== undefined && !covers(image.acceleratorVersion, wanted);
    const newer = { reference: referenceOf(image), ...versions, isSameService: byService === 0, isOutsideAsked };
    return [{ kind: "newer", ...newer, part, name, backend, service }];
  });
  const [first, second] = found;
  return first !== undefined && digest({ ...first }) === digest({ ...second }) ? [first] : found;
}

/** Without its SoCs it is one that was named. */
function variantOf({ asked, runnerImage: { variant, socs } }: RunnerUser): string | undefined {
  return asked?.variant ?? (socs === undefined ? variant : undefined);
}

function imageOf(engine: Pick<LockedEngine, "install"> | undefined) {
  if (engine?.install.method !== "image" || engine.install.runnerImage === undefined) return undefined;
  const { runnerImage, ...image } = engine.install;
  return { ...image, runnerImage };
}

function referenceOf({ repository, tag }: RunnerImage): string {
  return `${repository}:${tag}`;
}

function byReference(a: PinnedRunner, b: PinnedRunner): number {
  return a.reference < b.reference ? -1 : 1;
}
