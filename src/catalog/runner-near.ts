/** What would be found instead, where no runner image is. Pure. */
import type { Constraint } from "../schema/version-constraint.js";
import type { RunnerImage } from "./runner-catalogue.js";
import { listRunners, type RunnerFilter } from "./runner-list.js";

/** A version as it was asked for, and all that begin with it. */
export interface AskedVersion {
  /** Of the filter. */
  readonly field: "acceleratorVersion" | "serviceVersion";
  /** `0.11.x` for `0.11` */
  readonly prefix: string;
  readonly constraint: Constraint;
}

/** One sentence for each way to find images that the filter leaves out; none where there is no such way. */
export function findNear(
  images: readonly RunnerImage[],
  filter: RunnerFilter,
  versions: readonly AskedVersion[],
): string[] {
  const isLonger = versions.flatMap(({ field, prefix, constraint }) => {
    const found = listRunners(images, { ...filter, [field]: constraint });
    return found.length === 0 ? [] : [`${countOf(found)} of version ${prefix}`];
  });
  const deprecated = listRunners(images, { ...filter, deprecated: true });
  const unpublished = listRunners(
    images.filter(({ published }) => !published).map((image) => ({ ...image, published: true })),
    filter,
  );
  return [
    ...isLonger,
    ...(deprecated.length === 0 ? [] : [`${countOf(deprecated)} with --deprecated`]),
    ...(unpublished.length === 0 ? [] : [`${countOf(unpublished)} once it is built and released`]),
  ];
}

function countOf({ length }: readonly unknown[]): string {
  return `${length} ${length === 1 ? "does" : "do"}`;
}
