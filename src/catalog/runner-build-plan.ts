import { BerthError } from "../lib/errors.js";
import { draftJobs, type DraftJob } from "./runner-build-job.js";
import { orderJobs } from "./runner-build-order.js";
import { imageOf, type BuildJob, type BuildPlan, type BuildRequest, type ManifestJob } from "./runner-build.js";

/**
 * What matrices say is built, in the order in which it can be. The same input gives the same plan.
 *
 * @throws BerthError `file-invalid` with `file:line:column`, for unknown services and variants, arguments that nothing
 * takes, versions that make no tag, two rules of one tag, and images that are made from each other; `usage` for an
 * argument that is given by hand and that nothing takes
 */
export function planBuilds(request: BuildRequest): BuildPlan {
  const drafts = request.recipes.flatMap((recipe) => draftJobs(recipe, request));
  refuseUntakenArgs(drafts, request);
  const jobs = orderJobs(drafts, request.prefix);
  return { jobs, manifests: manifestsOf(jobs, request.prefix) };
}

function refuseUntakenArgs(drafts: readonly DraftJob[], { args, recipes }: BuildRequest): void {
  if (recipes.length === 0) return;
  for (const [name, value] of Object.entries(args)) {
    if (value === "")
      throw new BerthError("usage", {
        where: `--arg ${name}`,
        what: "the argument has no value",
        expected: "NAME=VALUE",
      });
    if (drafts.some(({ job }) => Object.hasOwn(job.args, name))) continue;
    const files = [...new Set(drafts.map(({ job }) => job.dockerfile))];
    throw new BerthError("usage", {
      what: "no Dockerfile of the plan takes the argument",
      got: name,
      ...(files.length === 0 ? {} : { expected: `an ARG of ${files.join(", ")}` }),
    });
  }
}

/** In the order of the tags' first images. */
function manifestsOf(jobs: readonly BuildJob[], prefix: string): ManifestJob[] {
  const tags = [...new Set(jobs.map(({ tag }) => tag))];
  return tags.map((tag) => ({
    tag,
    devImage: imageOf(prefix, `${tag}-dev`),
    image: imageOf(prefix, tag),
    // Not as they are built: what is built beside them changes no index.
    platformTags: jobs.flatMap((job) => (job.tag === tag ? [job.platformTag] : [])).sort(),
  }));
}
