import type { BuildJob, ManifestJob } from "../catalog/runner-build.js";
import { BerthError } from "../lib/errors.js";
import { findImage, type KnownInputs } from "./image-build.js";
import { platformsOf, readManifest, writeManifest } from "./image-index.js";

/** An image that can get its final tag. */
export interface ReadyRelease {
  readonly manifest: ManifestJob;
  readonly digest: string;
  /** Whether the tag leads to another image yet. */
  readonly replaces: boolean;
  /** Whether the tag does not lead there yet. */
  readonly isNew: boolean;
  /** Whether it is what the matrices and Dockerfiles say now. */
  readonly isCurrent: boolean;
  /** Gives it the tag, where it has not got it. */
  readonly publish: () => Promise<void>;
}

export interface ReleaseRun extends KnownInputs {
  readonly manifests: readonly ManifestJob[];
  /** What has to be under the `-dev` tag, where it is known: what was tested. */
  readonly digest?: string | undefined;
  /** Whether a final tag that leads elsewhere may be moved. */
  readonly replace: boolean;
}

/**
 * Looks whether images can get their final tags, which they get by the registry alone: the same bytes that the `-dev` tag
 * leads to, so the same digest. Nothing is published yet, and all can be or none is given.
 *
 * @throws BerthError `image-unavailable` where there is no `-dev` image, or it lacks platforms; `artifact-moved` when it
 * is not what was tested, or when a final tag leads to another image already
 */
export async function prepareReleases(run: ReleaseRun): Promise<ReadyRelease[]> {
  const ready: ReadyRelease[] = [];
  for (const manifest of run.manifests) ready.push(await prepare(manifest, run));
  return ready;
}

async function prepare(manifest: ManifestJob, run: ReleaseRun): Promise<ReadyRelease> {
  const { devImage, image, platformTags } = manifest;
  const dev = await readManifest(devImage, run);
  if (dev === undefined)
    throw new BerthError("image-unavailable", {
      ...{ where: devImage, what: "the registry has no such image" },
      hint: "build it first: berth runner build",
    });
  const jobs = platformTags.flatMap((tag) => run.whole.jobs.filter(({ platformTag }) => platformTag === tag));
  const wanted = jobs.map(({ platform }) => platform);
  const images = platformsOf(dev) ?? {};
  const platforms = Object.keys(images);
  if (platforms.join() !== wanted.join())
    throw new BerthError("image-unavailable", {
      ...{ where: devImage, what: "the image is not for the platforms that its matrix says" },
      ...{ got: platforms.join(", ") || "no index of platforms", expected: wanted.join(", ") },
      hint: "build it anew: berth runner build",
    });
  if (run.digest !== undefined && dev.digest !== run.digest)
    throw new BerthError("artifact-moved", {
      ...{ where: devImage, what: "the image is not the one that is to be released" },
      ...{ got: dev.digest, expected: run.digest },
      hint: "test what is there now, and release that",
    });
  const before = await readManifest(image, run);
  if (before !== undefined && before.digest !== dev.digest && !run.replace)
    throw new BerthError("artifact-moved", {
      ...{ where: image, what: "the tag is released already, and leads to another image" },
      ...{ got: before.digest, expected: dev.digest },
      hint: "release another version; or say --replace, and the catalogue tells that it was changed in place",
    });
  const isNew = before?.digest !== dev.digest;
  return {
    ...{ manifest, digest: dev.digest, isNew, replaces: before !== undefined && isNew },
    isCurrent: await isCurrent(jobs, images, run),
    publish: async () => {
      if (isNew) await writeManifest(image, dev, run);
    },
  };
}

async function isCurrent(
  jobs: readonly BuildJob[],
  images: Readonly<Record<string, string>>,
  run: ReleaseRun,
): Promise<boolean> {
  for (const job of jobs) if ((await findImage(job, run))?.digest !== images[job.platform]) return false;
  return true;
}
