/** Wheels of a bundle, and where hosts look for them before they ask a package index. */
import { posix } from "node:path";

import { completeMark, wheelFolder } from "../install/pipx.js";
import { toolWheels } from "../install/python.js";
import type { PackagesNeed } from "../lock/needs.js";
import type { BundledFile } from "../schema/bundle.js";
import { holdsFile, type FilePlace, type MissingFile } from "./load-files.js";
import { wheelsOf } from "./wheel-gaps.js";

/** A list of packages that a host does not have all of. */
export interface MissingWheels {
  readonly files: readonly MissingFile[];
  /** What is written when all of them are there. */
  readonly mark: string;
}

/**
 * The wheels that a host needs and does not have, by the lists that they belong to.
 *
 * @param findTag which wheels the host's Python takes, as part of a folder's name
 */
export async function findMissingWheels(
  place: FilePlace,
  packages: readonly PackagesNeed[],
  bundled: readonly BundledFile[],
  findTag: () => Promise<string>,
): Promise<MissingWheels[]> {
  const { host } = place;
  const missing: MissingWheels[] = [];
  for (const need of packages) {
    const { folder, mark } = await placeOf(place.dataDir, need, findTag);
    if ((await host.status(mark)) !== undefined) continue;
    const files: MissingFile[] = [];
    for (const { sha256, name, wheel } of wheelsOf(need, bundled)) {
      const path = posix.join(folder, wheel);
      if (!(await holdsFile(place, path, sha256))) files.push({ sha256, name, path, part: `${path}.part` });
    }
    missing.push({ files, mark });
  }
  return missing;
}

async function placeOf(dataDir: string, { tool, requirements }: PackagesNeed, findTag: () => Promise<string>) {
  if (tool !== undefined) {
    const folder = toolWheels(dataDir, requirements.sha256);
    return { folder, mark: posix.join(folder, "complete") };
  }
  const place = { dataDir, pythonTag: await findTag() };
  return { folder: wheelFolder(place, { requirements }), mark: completeMark(place, { requirements }) };
}
