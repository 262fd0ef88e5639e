import { posix } from "node:path";

import { BerthError } from "../lib/errors.js";
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

/** Whether Berth has made the folder, or made it its own. */
export async function isMarked(host: Host, dataDir: string): Promise<boolean> {
  return (await host.status(dataPaths(dataDir).marker)) !== undefined;
}

/**
 * A data directory is Berth's alone: what is in it is removed when nobody wants it any more.
 *
 * @throws BerthError `host-foreign` when something else is in it
 */
export async function assertOwn(host: Host, dataDir: string): Promise<void> {
  const foreign = await findForeign(host, dataDir);
  if (foreign.length === 0) return;
  throw new BerthError("host-foreign", {
    where: `host ${host.name}: ${dataDir}`,
    what: "the data directory holds things that are not Berth's",
    got: foreign.slice(0, 5).join(", "),
    expected: "a folder that is empty, or does not exist yet",
    hint: "give the host a dataDir of its own",
  });
}

/**
 * What one user has made, another cannot take over: its files may not be read, and its supervisor is not theirs.
 *
 * @throws BerthError `host-foreign` when Berth made the folder as another user of the host
 */
export async function assertOwner(host: Host, dataDir: string): Promise<void> {
  const { exitCode } = await host.run(["test", "-O", dataPaths(dataDir).marker]);
  if (exitCode !== 1) return;
  throw new BerthError("host-foreign", {
    where: `host ${host.name}: ${dataDir}`,
    what: "the data directory was made as another user of the host",
    expected: "the user that Berth works as there now",
    hint: "go back to the user, or the `sudo`, that it was made with, or give the host another dataDir",
  });
}
