import type { BuildJob, BuildPlan } from "./runner-build.js";

/** Which images are meant; all of it must fit. */
export interface BuildSelection {
  readonly acceleratorType?: string | undefined;
  readonly service?: string | undefined;
  /** A tag, or a platform's, or how they begin by components: `cann8.5-a3`, `cuda12`. */
  readonly tag?: string | undefined;
  readonly platform?: string | undefined;
}

/**
 * The part of a plan that is meant, with the images that it is made from; images of several platforms of what is meant
 * alone, and always whole.
 */
export function selectBuilds({ jobs, manifests }: BuildPlan, selection: BuildSelection): BuildPlan {
  const meant = new Set(jobs.filter((job) => isMeant(job, selection)).map(({ platformTag }) => platformTag));
  const wanted = new Set(meant);
  for (const job of [...jobs].reverse()) {
    if (wanted.has(job.platformTag)) for (const need of job.needs) wanted.add(need.platformTag);
  }
  return {
    jobs: jobs.filter(({ platformTag }) => wanted.has(platformTag)),
    manifests: manifests.filter(({ platformTags }) => platformTags.some((tag) => meant.has(tag))),
  };
}

function isMeant(job: BuildJob, { acceleratorType, service, tag, platform }: BuildSelection): boolean {
  if (acceleratorType !== undefined && job.acceleratorType !== acceleratorType) return false;
  if (service !== undefined && job.service !== service) return false;
  if (platform !== undefined && job.platform !== platform) return false;
  return tag === undefined || isPrefix(tag, job.platformTag);
}

/** By components: `cuda12.8-vllm0.1` begins `cuda12.8-vllm0.1.2`, and not `cuda12.8-vllm0.10.2`. */
function isPrefix(prefix: string, tag: string): boolean {
  const parts = prefix.replace(/-dev$/, "").split("-");
  const whole = tag.split("-");
  return parts.every((part, index) => {
    const own = whole[index];
    if (own === part) return true;
    if (own === undefined || index < parts.length - 1) return false;
    return own.startsWith(`${part}.`) || (/^[a-z]+$/.test(part) && own.replace(/\d.*$/, "") === part);
  });
}
