import { relative } from "node:path";

/** A path as people know it: relative to the project when it is inside. */
export function shown(root: string, path: string): string {
  const below = relative(root, path);
  return below === "" || below === ".." || below.startsWith("../") ? path : below;
}
