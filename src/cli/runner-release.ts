import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { parseImageReference } from "../catalog/image-reference.js";
import type { BuildJob } from "../catalog/runner-build.js";
import { baseEnvironment } from "../host/environment.js";
import { LocalHost } from "../host/local.js";
import { createRegistryLogins } from "../host/registry-login.js";
import { BerthError } from "../lib/errors.js";
import { releaseImages, type ReleasedImage } from "../lock/image-release.js";
import { writeRunnerEntry } from "../lock/runner-entry.js";
import { openBuilds, type BuildOptions, type OpenBuilds } from "./runner-plan.js";
import { packageRoot, type Workplace } from "./workplace.js";

export interface RunnerReleaseOptions extends BuildOptions {
  replace?: boolean;
  digest?: string;
}

/**
 * Gives images that were tested their final tags, and writes their digests into the project's catalogue files. A file
 * that the project has not is Berth's own of the same accelerator type.
 */
export async function releaseRunners(workplace: Workplace, options: RunnerReleaseOptions): Promise<void> {
  const { environment } = workplace;
  const builds = openBuilds(workplace, options);
  const { manifests } = builds.selected;
  if (manifests.length === 0) throw new BerthError("usage", { what: "the matrices have no such image" });
  if (options.digest !== undefined && manifests.length > 1)
    throw new BerthError("usage", {
      ...{ what: "one digest is that of one image", got: manifests.map(({ tag }) => tag).join(", ") },
      hint: "name the image with --tag",
    });
  const host = new LocalHost("this machine", baseEnvironment(environment));
  const released = await releaseImages({
    ...{ manifests, whole: builds.whole, inputs: builds.inputs },
    digest: options.digest,
    replace: options.replace === true,
    findLogin: createRegistryLogins(environment, host),
  });
  for (const one of released) {
    const { image } = one.manifest;
    workplace.print(`${image}@${one.digest}: ${one.isNew ? "released" : "released already"}`);
    if (!one.isCurrent)
      workplace.note(`   note: ${one.manifest.tag} was built from other inputs than its files have now`);
    const file = await writeCatalogue(workplace, builds, one, host);
    if (file !== undefined) workplace.print(`${file}: ${one.manifest.tag} has the digest`);
  }
}

/** Returns the file that was changed. */
async function writeCatalogue(
  { root }: Workplace,
  { whole }: OpenBuilds,
  { manifest, digest, hasReplaced }: ReleasedImage,
  host: LocalHost,
): Promise<string | undefined> {
  const jobs = manifest.platformTags.flatMap((tag) => whole.jobs.filter(({ platformTag }) => platformTag === tag));
  const [job] = jobs;
  if (job === undefined) return undefined;
  const file = join("backends", "runners", `${job.acceleratorType}.yaml`);
  const path = [root, packageRoot].map((owner) => join(owner, file)).find((one) => existsSync(one)) ?? join(root, file);
  const text = readFileSync(path, "utf8");
  const written = writeRunnerEntry(text, file, {
    ...namedBy(job),
    digest,
    repository: parseImageReference(manifest.image).name,
    polished: hasReplaced,
    platforms: platformsOf(jobs),
  });
  if (written === text) return undefined;
  await host.writeFile(join(root, file), written);
  return file;
}

function namedBy({ acceleratorVersion, variant, service, serviceVersion, runtimeVersion }: BuildJob) {
  return { acceleratorVersion, variant, service, serviceVersion, runtimeVersion };
}

function platformsOf(jobs: readonly BuildJob[]): string[] {
  return jobs.map(({ platform }) => platform);
}
