import { posix } from "node:path";

import type { Host } from "../host/host.js";
import { dataPaths } from "../host/paths.js";
import { findRunner } from "./runner-files.js";

/** The process ids of the runners of a data directory, to their instances. Those that do not run are left out. */
export async function findRunners(host: Host, dataDir: string): Promise<Map<number, string>> {
  const { instances } = dataPaths(dataDir);
  const found = await Promise.all(
    (await host.list(instances)).map(async (instance) => {
      const pid = await findRunner(host, posix.join(instances, instance));
      return pid === undefined ? [] : [[pid, instance] as const];
    }),
  );
  return new Map(found.flat());
}
