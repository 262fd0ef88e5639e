import { parseImageReference } from "../catalog/image-reference.js";
import { inputsLabel } from "../catalog/runner-build-inputs.js";
import type { BuildJob, BuildPlan, ManifestJob } from "../catalog/runner-build.js";
import type { FindRegistryLogin, RegistryLogin } from "../host/registry-login.js";
import { digest } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import type { ImageBuilder } from "../runtime/image-builder.js";
import { composeIndex, readManifest, readPlatformImage, writeManifest, type PlatformImage } from "./image-index.js";

/** What a run of builds has. */
export interface BuildRun {
  readonly selected: BuildPlan;
  /** All that is planned: an image of several platforms may have some that are built elsewhere. */
  readonly whole: BuildPlan;
  /** What each image is built from, by platform tag. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly builder: ImageBuilder;
  /** The Dockerfile of a job and the files beside it, as a tar archive. */
  readonly pack: (job: BuildJob) => Promise<{ readonly archive: Buffer; readonly dockerfile: string }>;
  /** Whether a job's Dockerfile asks for what engines before 23 cannot do. */
  readonly needsNewEngine: (job: BuildJob) => boolean;
  readonly findLogin: FindRegistryLogin;
  /** Builds also what the registry has, from base images as their registries have them now. */
  readonly force: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly report: (step: BuildStep) => void;
  readonly onLine?: (line: string) => void;
}

/** The images that are known to be up to date, by platform tag. */
type Images = Map<string, PlatformImage>;

/** What became of one image. */
export type BuildStep =
  | { readonly kind: "building"; readonly image: string }
  | { readonly kind: "built" | "unchanged"; readonly image: string; readonly digest: string }
  | { readonly kind: "combined" | "same"; readonly image: string; readonly digest: string }
  /** Images for other platforms are not there yet, or are of something else. */
  | { readonly kind: "waiting"; readonly image: string; readonly missing: readonly string[] };

/**
 * Builds images and pushes them, each after those that it is made from, then the images of several platforms under their
 * `-dev` tags. What the registry has of the same inputs is not built again.
 *
 * @throws BerthError `image-build-failed`, `image-unavailable`, and what every call to an engine throws
 */
export async function buildImages(run: BuildRun): Promise<void> {
  const done: Images = new Map();
  for (const job of run.selected.jobs) {
    const found = run.force ? undefined : await findImage(job, run, done);
    if (found !== undefined) run.report({ kind: "unchanged", image: job.image, digest: found.digest });
    done.set(job.platformTag, found ?? (await buildImage(job, run, done)));
  }
  for (const manifest of run.selected.manifests) await combine(manifest, run, done);
}

/** What tells whether an image is up to date: plan, inputs, and who asks the registry. */
export type KnownInputs = Pick<BuildRun, "whole" | "inputs" | "findLogin" | "signal">;

/** The job's image where the registry has it, made from the same inputs. */
export async function findImage(
  job: BuildJob,
  run: KnownInputs,
  done: Images = new Map(),
): Promise<PlatformImage | undefined> {
  const inputs = await labelOf(job, run, done);
  if (inputs === undefined) return undefined;
  const image = await readPlatformImage(job.image, run);
  return image?.labels[inputsLabel] === inputs ? image : undefined;
}

/**
 * A digest of what the image is built from, and of the very images that it is made from: one that was built anew changes
 * those on it. Undefined when one of them is nowhere.
 */
async function labelOf({ platformTag, needs }: BuildJob, run: KnownInputs, done: Images): Promise<string | undefined> {
  const digests: string[] = [];
  for (const need of needs) {
    const job = run.whole.jobs.find((one) => one.platformTag === need.platformTag);
    const image = done.get(need.platformTag) ?? (job === undefined ? undefined : await findImage(job, run, done));
    if (image === undefined) return undefined;
    digests.push(image.digest);
  }
  return digest([run.inputs[platformTag] ?? "", ...digests]);
}

async function buildImage(job: BuildJob, run: BuildRun, done: Images): Promise<PlatformImage> {
  const { builder, signal, onLine, report } = run;
  report({ kind: "building", image: job.image });
  await refuseOldEngine(job, run);
  await fetchBases(job, run);
  const args = { ...job.args };
  for (const { argument, platformTag } of job.needs) {
    const need = done.get(platformTag);
    if (need !== undefined) args[argument] = await provide(job, need, run);
  }
  const { archive, dockerfile } = await run.pack(job);
  const { image: reference, target, platform } = job;
  const labels = { [inputsLabel]: (await labelOf(job, run, done)) ?? "" };
  await builder.build(
    { reference, archive, dockerfile, target, platform, args, labels, useCache: !run.force },
    { signal, ...(onLine && { onLine }) },
  );
  await builder.push(reference, await loginOf(reference, run), signal);
  const pushed = await readPlatformImage(reference, run);
  if (pushed === undefined)
    throw new BerthError("image-unavailable", { where: reference, what: "the registry does not have what was pushed" });
  report({ kind: "built", image: reference, digest: pushed.digest });
  return pushed;
}

/** The image that another is made from, on the engine: by its digest, so that no other one is taken. */
async function provide(job: BuildJob, need: PlatformImage, run: BuildRun): Promise<string> {
  const { name } = parseImageReference(job.image);
  const pinned = `${name}@${need.digest}`;
  if (!(await run.builder.has(pinned))) await run.builder.pull(pinned, job.platform, await loginOf(job.image, run));
  return pinned;
}

/**
 * The engine's BuildKit knows no logins: what is behind one is fetched before it is asked for. It takes what the engine
 * has, so what is to be as the registry has it now is fetched too.
 */
async function fetchBases({ bases, platform }: BuildJob, run: BuildRun): Promise<void> {
  for (const base of bases) {
    const login = await loginOf(base, run);
    if (login !== undefined || run.force) await run.builder.pull(base, platform, login);
  }
}

async function refuseOldEngine(job: BuildJob, { builder, needsNewEngine }: BuildRun): Promise<void> {
  if (!needsNewEngine(job)) return;
  const version = await builder.version();
  if (Number.parseInt(version, 10) >= 23) return;
  throw new BerthError("host-unsuitable", {
    ...{ where: job.dockerfile, what: "the Docker Engine does not know here-documents", got: `Docker ${version}` },
    expected: "Docker 23 or later",
    hint: "use a newer engine, or begin the file with `# syntax=docker/dockerfile:1`, which it fetches from Docker Hub",
  });
}

/** Puts an image of several platforms together, once all of them are there. */
async function combine({ platformTags, devImage: image }: ManifestJob, run: BuildRun, done: Images): Promise<void> {
  const jobs = platformTags.flatMap((tag) => run.whole.jobs.filter(({ platformTag }) => platformTag === tag));
  const images: PlatformImage[] = [];
  const missing: string[] = [];
  for (const job of jobs) {
    const one = done.get(job.platformTag) ?? (await findImage(job, run, done));
    if (one === undefined) missing.push(job.platform);
    else images.push(one);
  }
  if (missing.length > 0) {
    run.report({ kind: "waiting", image, missing });
    return;
  }
  const index = composeIndex(images);
  const before = await readManifest(image, run);
  if (before?.digest !== index.digest) await writeManifest(image, index, run);
  run.report({ kind: before?.digest === index.digest ? "same" : "combined", image, digest: index.digest });
}

async function loginOf(reference: string, { findLogin }: BuildRun): Promise<RegistryLogin | undefined> {
  const { name, repository } = parseImageReference(reference);
  const registry = name.slice(0, Math.max(0, name.lastIndexOf(`/${repository}`)));
  return findLogin(registry === "" || registry === name ? "docker.io" : registry);
}
