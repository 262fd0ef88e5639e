import { randomBytes } from "node:crypto";

import { HostLeases } from "../host/lease.js";
import { createOpenHost } from "../host/open.js";
import { machineIdentity, processIdentity } from "../host/process.js";
import { createContent } from "../install/content.js";
import { systemClock } from "../lib/clock.js";
import { silentLog } from "../lib/log.js";
import { Contexts } from "../resources/context.js";
import { packageRoot, type Workplace } from "./workplace.js";

/** What commands that only look need of hosts. */
export function openContexts({ environment, root }: Workplace, signal: AbortSignal): Contexts {
  return new Contexts({
    openHost: createOpenHost({ environment, projectRoot: root }),
    content: createContent(packageRoot, root),
    clock: systemClock,
    signal,
    log: silentLog,
    newId: () => randomBytes(8).toString("hex"),
  });
}

const lockWaitSeconds = 60;

/** This process, as what holds locks. */
export async function lockHolder() {
  return {
    machine: await machineIdentity(),
    process: (await processIdentity(process.pid)) ?? String(process.pid),
    clock: systemClock,
    isAlive: async (identity: string) => (await processIdentity(Number.parseInt(identity, 10))) === identity,
    newId: () => randomBytes(8).toString("hex"),
  };
}

/** The host locks of commands that change something. */
export async function openLeases(workplace: Workplace): Promise<HostLeases> {
  return new HostLeases({
    ...(await lockHolder()),
    waitSeconds: lockWaitSeconds,
    onWait: (host, { owner }) => workplace.note(`${host.name}: waiting for ${owner}, which changes this host now`),
  });
}
