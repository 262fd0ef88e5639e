import type { BuildPlan, ManifestJob } from "../catalog/runner-build.js";
import { BerthError } from "../lib/errors.js";
import type { Asker } from "./image-digest.js";
import { platformsOf, readManifest, writeManifest } from "./image-index.js";

/** An image that has its final tag now. */
export interface ReleasedImage {
  readonly manifest: ManifestJob;
  readonly digest: string;
  /** Whether the tag led to another image before. */
  readonly hasReplaced: boolean;
  /** Whether the tag leads there since now alone. */
  readonly isNew: boolean;
}

export interface ReleaseRun extends Asker {
  readonly selected: BuildPlan;
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
  for (const manifest of run.selected.manifests) ready.push(await prepare(manifest, run));
  const released: ReleasedImage[] = [];
  for (const { manifest, dev, before } of ready) {
    const isNew = before?.digest !== dev.digest;
    if (isNew) await writeManifest(manifest.image, dev, run);
    released.push({ manifest, digest: dev.digest, hasReplaced: before !== undefined && isNew, isNew });
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
  const wanted = platformTags.flatMap((tag) => {
    return run.selected.jobs.filter((job) => job.platformTag === tag).map((job) => job.platform);
  });
  const platforms = Object.keys(platformsOf(dev) ?? {});
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
  return { manifest, dev, before };
}
