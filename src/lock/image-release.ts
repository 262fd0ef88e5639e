import type { BuildJob, ManifestJob } from "../catalog/runner-build.js";
import { BerthError } from "../lib/errors.js";
import { findImage, type KnownInputs } from "./image-build.js";
import { platformsOf, readManifest, writeManifest } from "./image-index.js";

/** An image that has its final tag now. */
export interface ReleasedImage {
  readonly manifest: ManifestJob;
  readonly digest: string;
  /** Whether the tag led to another image before. */
  readonly hasReplaced: boolean;
  /** Whether the tag leads there since now alone. */
  readonly isNew: boolean;
  /** Whether it is what the matrices and Dockerfiles say now. */
  readonly isCurrent: boolean;
}

export interface ReleaseRun extends KnownInputs {
  readonly manifests: readonly ManifestJob[];
  /** What has to be under the `-dev` tag, where it is known: what was tested. */
  readonly digest?: string | undefined;
  /** Whether a final tag that leads elsewhere may be moved. */
  readonly replace: boolean;
}

/**
 * Gives images their final tags, by the registry alone: the same bytes that the `-dev` tag leads to, so the same digest.
 * Nothing is released unless all can be.
 *
 * @throws BerthError `image-unavailable` where there is no `-dev` image, or it lacks platforms; `artifact-moved` when it
 * is not what was tested, or when a final tag leads to another image already
 */
export async function releaseImages(run: ReleaseRun): Promise<ReleasedImage[]> {
  const ready = [];
  for (const manifest of run.manifests) ready.push(await prepare(manifest, run));
  const released: ReleasedImage[] = [];
  for (const { manifest, dev, before, isCurrent } of ready) {
    const isNew = before?.digest !== dev.digest;
    if (isNew) await writeManifest(manifest.image, dev, run);
    released.push({ manifest, digest: dev.digest, hasReplaced: before !== undefined && isNew, isNew, isCurrent });
  }
  return released;
}

async function prepare(manifest: ManifestJob, run: ReleaseRun) {
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
  return { manifest, dev, before, isCurrent: await isCurrent(jobs, images, run) };
}

async function isCurrent(
  jobs: readonly BuildJob[],
  images: Readonly<Record<string, string>>,
  run: ReleaseRun,
): Promise<boolean> {
  for (const job of jobs) if ((await findImage(job, run))?.digest !== images[job.platform]) return false;
  return true;
}
