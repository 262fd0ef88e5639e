import { posix } from "node:path";

import type { Host } from "./host.js";
import { dataPaths, ownNames } from "./paths.js";

/** What a file system has at its top, whoever uses it. */
const harmlessNames = new Set(["lost+found"]);

/** Somebody who waits for the host lock has such files beside it for a moment. */
const passing = /\.(?:tmp|takeover)$/;

/** What is in a folder that is not Berth's; nothing where Berth has marked the folder as its own. */
export async function findForeign(host: Host, dataDir: string): Promise<string[]> {
  const own = ownNames();
  const names = await host.list(dataDir);
  if (names.includes(posix.basename(dataPaths(dataDir).marker))) return [];
  const isOwn = (name: string) => own.has(name) || (passing.test(name) && own.has(name.split(".", 2).join(".")));
  return names.filter((name) => !isOwn(name) && !harmlessNames.has(name));
}
