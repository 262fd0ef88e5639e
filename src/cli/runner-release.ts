import { readFileSync } from "node:fs";
import { join } from "node:path";

import { parseImageReference } from "../catalog/image-reference.js";
import type { BuildJob } from "../catalog/runner-build.js";
import { baseEnvironment } from "../host/environment.js";
import { LocalHost } from "../host/local.js";
import { createRegistryLogins } from "../host/registry-login.js";
import { BerthError } from "../lib/errors.js";
import { writtenPath } from "../lock/catalogue-folder.js";
import { prepareReleases, type ReadyRelease } from "../lock/image-release.js";
import { runnerPathOf } from "../lock/runner-files.js";
import { releasedRunnerText } from "../lock/runner-release.js";
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
  const ready = await prepareReleases({
    ...{ manifests, whole: builds.whole, inputs: builds.inputs },
    digest: options.digest,
    replace: options.replace === true,
    findLogin: createRegistryLogins(environment, host),
  });
  // A file that cannot be changed is told before a tag leads anywhere.
  const written = writeTexts(workplace, builds, ready);
  for (const [index, { manifest, digest, isNew, isCurrent, publish }] of ready.entries()) {
    await publish();
    workplace.print(`${manifest.image}@${digest}: ${isNew ? "released" : "released already"}`);
    if (!isCurrent) workplace.note(`   note: ${manifest.tag} was built from other inputs than its files have now`);
    const { file, text, isChanged } = written[index] ?? { file: "", text: "", isChanged: false };
    if (!isChanged) continue;
    await host.writeFile(writtenPath(join(workplace.root, file)), text);
    workplace.print(`${file}: ${manifest.tag} has the digest`);
  }
}

/** A catalogue file as it is once an image and those before it are released. */
interface WrittenFile {
  readonly file: string;
  readonly text: string;
  readonly isChanged: boolean;
}

function writeTexts({ root }: Workplace, { whole }: OpenBuilds, ready: readonly ReadyRelease[]): WrittenFile[] {
  const texts = new Map<string, string>();
  return ready.map(({ manifest, digest, replaces }) => {
    const jobs = whole.jobs.filter(({ platformTag }) => manifest.platformTags.includes(platformTag));
    const [job] = jobs;
    if (job === undefined) throw new Error(`the plan lost ${manifest.tag}`);
    const file = join("backends", "runners", `${job.acceleratorType}.yaml`);
    const before = texts.get(file) ?? readFileSync(runnerPathOf(job.acceleratorType, root, packageRoot), "utf8");
    const text = releasedRunnerText(before, file, {
      ...namedBy(job),
      ...{ digest, repository: parseImageReference(manifest.image).name, polished: replaces },
      platforms: manifest.platformTags.flatMap((tag) => platformsOf(jobs, tag)),
    });
    texts.set(file, text);
    return { file, text, isChanged: text !== before };
  });
}

function namedBy({ acceleratorVersion, variant, service, serviceVersion, runtimeVersion }: BuildJob) {
  return { acceleratorVersion, variant, service, serviceVersion, runtimeVersion };
}

function platformsOf(jobs: readonly BuildJob[], tag: string): string[] {
  return jobs.filter(({ platformTag }) => platformTag === tag).map(({ platform }) => platform);
}
