/** Which of Berth's runner images a project does not see. Pure. */
import type { RunnerFile } from "../schema/runner.js";
import { imagesOf } from "./runner-catalogue.js";
import { ordersOf } from "./runner-order.js";

/** A project's file that stands in the place of Berth's, and lacks images which that one has. */
export interface HiddenRunners {
  /** The project's file. */
  readonly file: string;
  /** Berth's file. */
  readonly shipped: string;
  /** The tags of the images, as they are listed. */
  readonly tags: readonly string[];
}

const mostShown = 3;

/**
 * The tags of what Berth's file has and a project's copy of it lacks, without what is deprecated or not there. A file that
 * has none of Berth's images is no copy, and lacks nothing.
 */
export function hiddenTags(own: RunnerFile, shipped: RunnerFile): string[] {
  const known = new Set(imagesOf(own).map(({ tag }) => tag));
  const images = imagesOf(shipped);
  if (!images.some(({ tag }) => known.has(tag))) return [];
  const hidden = images.filter((image) => image.published && !image.deprecated && !known.has(image.tag));
  return hidden.sort(ordersOf(hidden).asListed).map(({ tag }) => tag);
}

/** In one sentence for people, with the first of the images. */
export function describeHidden({ file, tags }: HiddenRunners): string {
  const images = tags.length === 1 ? "1 image" : `${tags.length} images`;
  const more = tags.length > mostShown ? ` and ${tags.length - mostShown} more` : "";
  return `${file} lacks ${images} of Berth's file, in whose place it stands: ${tags.slice(0, mostShown).join(" ")}${more}`;
}

export function adviseHidden({ file, shipped }: HiddenRunners): string {
  return `copy into ${file} what is wanted of ${shipped}`;
}
