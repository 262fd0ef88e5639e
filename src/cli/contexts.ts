import { randomBytes } from "node:crypto";

import { baseEnvironment } from "../host/environment.js";
import { LocalHost } from "../host/local.js";
import { createContent } from "../install/content.js";
import { systemClock } from "../lib/clock.js";
import { silentLog } from "../lib/log.js";
import { Contexts } from "../resources/context.js";
import { packageRoot, type Workplace } from "./workplace.js";

/** What commands that only look need of hosts. */
export function openContexts({ environment, root }: Workplace, signal: AbortSignal): Contexts {
  const commands = baseEnvironment(environment);
  return new Contexts({
    openHost: ({ name }) => new LocalHost(name, commands),
    content: createContent(packageRoot, root),
    clock: systemClock,
    signal,
    log: silentLog,
    newId: () => randomBytes(8).toString("hex"),
  });
}
