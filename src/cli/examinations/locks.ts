import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { describeLeftover, findLeftovers } from "../../lock/leftovers.js";
import type { Finding } from "./finding.js";

/** What commands that were killed have left beside the locks of a project. */
export async function examineLocks(root: string, now: Date): Promise<Finding[]> {
  const names = await readdir(join(root, "stacks")).catch(() => []);
  const locks = new Set(names.flatMap((name) => /^.+?\.lock\.yaml(?=\.|$)/.exec(name)?.[0] ?? []));
  const found = await Promise.all([...locks].sort().map((lock) => findLeftovers(join(root, "stacks", lock), now)));
  return found.flat().map((leftover) => ({
    state: "note",
    subject: "lock",
    found: `stacks/${leftover.name} was ${describeLeftover(leftover)}`,
    mend: `rm stacks/${leftover.name}`,
  }));
}
