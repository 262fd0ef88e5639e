import { digest } from "../lib/canonical.js";
import type { BuildJob } from "./runner-build.js";

/** The label that tells of an image what it was built from. */
export const inputsLabel = "berth.inputs";

/** What the digest of a build is made of, beside its job. */
export interface BuildContent {
  /** SHA-256 of the Dockerfile by its path. */
  readonly dockerfiles: Readonly<Record<string, string>>;
  /** SHA-256 of all files beside them by accelerator type. */
  readonly contexts: Readonly<Record<string, string>>;
}

/**
 * A digest of all that each job's image is built from, by platform tag: equal digests mean that nothing is to be built
 * anew. Images that are not built here count by their names; whoever moves such a tag has to ask for a build.
 *
 * @param jobs an image comes after those that it is made from
 */
export function digestInputs(jobs: readonly BuildJob[], content: BuildContent): Record<string, string> {
  const digests: Record<string, string> = {};
  for (const { platformTag, acceleratorType, dockerfile, platform, target, args, bases, needs } of jobs) {
    // What is built here counts by what it is made from, whatever name it is pushed under.
    const own = needs.map(({ argument, platformTag: tag }) => [argument, digests[tag] ?? ""]);
    const others = Object.entries(args).filter(([name]) => !needs.some(({ argument }) => argument === name));
    digests[platformTag] = digest({
      ...{
        platform,
        target,
        bases,
        args: Object.fromEntries(others),
        needs: Object.fromEntries(own) as Record<string, string>,
      },
      dockerfile: content.dockerfiles[dockerfile] ?? "",
      context: content.contexts[acceleratorType] ?? "",
    });
  }
  return digests;
}
