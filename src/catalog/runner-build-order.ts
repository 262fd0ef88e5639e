import { BerthError } from "../lib/errors.js";
import { parseImageReference } from "./image-reference.js";
import type { DraftJob, Base } from "./runner-build-job.js";
import { cacheImageOf, imageOf, type BuildJob } from "./runner-build.js";

/** Registry and namespace that stand for those of the plan, wherever it pushes to. */
const commonPrefix = "gpustack";

/** Jobs with what they need, each after those. Where nothing asks for another order, it is that of the matrices. */
export function orderJobs(drafts: readonly DraftJob[], prefix: string): BuildJob[] {
  const known = new Map<string, DraftJob>();
  for (const draft of drafts) {
    const { platformTag } = draft.job;
    const other = known.get(platformTag);
    if (other !== undefined)
      throw new BerthError("file-invalid", {
        where: draft.where,
        what: `${platformTag} is built by another rule too`,
        got: other.where,
      });
    known.set(platformTag, draft);
  }
  const jobs = new Map(drafts.map((draft) => [draft.job.platformTag, finish(draft, known, prefix)]));
  const ordered = new Set<BuildJob>();
  const visit = (job: BuildJob, above: readonly string[]): void => {
    if (ordered.has(job)) return;
    const { platformTag } = job;
    if (above.includes(platformTag)) {
      const circle = [...above.slice(above.indexOf(platformTag)), platformTag].join(", which is made from ");
      const where = known.get(platformTag)?.where ?? "";
      throw new BerthError("file-invalid", { where, what: `images are made from each other: ${circle}` });
    }
    for (const need of job.needs) {
      const other = jobs.get(need.platformTag);
      if (other !== undefined) visit(other, [...above, platformTag]);
    }
    ordered.add(job);
  };
  for (const job of jobs.values()) visit(job, []);
  return [...ordered];
}

function finish({ job, bases }: DraftJob, known: ReadonlyMap<string, DraftJob>, prefix: string): BuildJob {
  const { cacheTags, ...rest } = job;
  const found = bases.map((base) => ({ base, need: findNeed(base, job.platform, known, prefix) }));
  const others = found.filter(({ need }) => need === undefined).map(({ base }) => base.reference);
  return {
    ...rest,
    image: imageOf(prefix, job.platformTag),
    cacheImages: cacheTags.map((tag) => cacheImageOf(prefix, tag)),
    bases: [...new Set(others)],
    needs: found.flatMap(({ need }) => (need === undefined ? [] : [need])),
  };
}

/** The image of the plan that a base is; undefined for any other. */
function findNeed(
  { reference, argument, where }: Base,
  platform: string,
  known: ReadonlyMap<string, DraftJob>,
  prefix: string,
): BuildJob["needs"][number] | undefined {
  const { name, tag, digest } = parseImageReference(reference);
  if (tag === undefined || digest !== undefined) return undefined;
  if (name !== `${prefix}/runner` && name !== `${commonPrefix}/runner`) return undefined;
  const suffix = `-${platform.replace("/", "-")}`;
  const plain = tag.replace(/-dev$/, "");
  if (![...known.values()].some(({ job }) => job.tag === plain)) return undefined;
  const fail = (what: string) => new BerthError("file-invalid", { where, what, got: reference });
  if (argument === undefined)
    throw fail("an image of the plan is to be named by an ARG, so that the one just built is taken");
  if (!known.has(`${plain}${suffix}`)) throw fail(`no rule builds ${plain} for ${platform}`);
  return { argument, platformTag: `${plain}${suffix}` };
}
