import { randomBytes } from "node:crypto";

import { createOpenHost } from "../host/open.js";
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
