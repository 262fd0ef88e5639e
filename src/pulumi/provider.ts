/** What the text in the state imports: Berth's part of the process that Pulumi starts for dynamic providers. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { HostLeases } from "../host/lease.js";
import { createOpenHost } from "../host/open.js";
import { machineIdentity, processIdentity } from "../host/process.js";
import { createContent } from "../install/content.js";
import { systemClock } from "../lib/clock.js";
import type { Log } from "../lib/log.js";
import { createFileLog } from "../lib/log-file.js";
import { readDeclaredDevices } from "../lock/runner-files.js";
import { Contexts } from "../resources/context.js";
import { resourceKinds } from "../resources/kinds.js";
import { Rollouts, type RolloutOptions } from "../resources/rollout.js";
import { UpdateLimit } from "../resources/update-limit.js";
import { createDispatch } from "./dispatch.js";
import { EngineWatch } from "./engine-watch.js";
import { ResourceHandler, type Surroundings } from "./handler.js";
import { findProjectRoot } from "./project-root.js";
import { lookOnlyVariable } from "../planner/report/look-only.js";
import { RolloutHandler } from "./rollout-handler.js";

const lockWaitSeconds = 60;

const packageRoot = fileURLToPath(new URL("../..", import.meta.url));
// Pulumi starts its plugins there or in the folder of the program.
const projectRoot = findProjectRoot(process.cwd());
const newId = () => randomBytes(8).toString("hex");

/** Everything but dispatch, for programs that bring resource kinds of their own. */
export async function createSurroundings(engineAddress: string | undefined): Promise<Surroundings & RolloutOptions> {
  const engine = new EngineWatch(engineAddress);
  engine.start();
  const log = createLog();
  // A line that nobody reads any more must not end the operation that writes it.
  process.stdout.on("error", () => undefined);
  const contexts = new Contexts({
    openHost: createOpenHost({ environment: process.env, projectRoot }),
    content: createContent(packageRoot, projectRoot),
    clock: systemClock,
    signal: engine.signal,
    interrupted: engine.interrupted,
    log,
    newId,
    declared: () => readDeclaredDevices(projectRoot, packageRoot),
  });
  const leases = new HostLeases({
    machine: await machineIdentity(),
    process: (await processIdentity(process.pid)) ?? String(process.pid),
    clock: systemClock,
    isAlive: async (identity) => (await processIdentity(Number.parseInt(identity, 10))) === identity,
    newId,
    waitSeconds: lockWaitSeconds,
    onWait: (host, holder) => say(host.name, `waiting for ${holder.owner}, which changes this host now`),
  });
  // Operations stop at their next journal step and give their locks back; then nobody needs this process.
  engine.signal.addEventListener("abort", () => {
    void leases.whenIdle().then(() => process.exit(1));
  });
  return {
    clock: systemClock,
    signal: AbortSignal.any([engine.signal, engine.interrupted]),
    log,
    leases,
    context: ({ host }, redact) => contexts.of(host, redact),
    assertWanted: () => engine.assertAlive(),
    isLookOnly: process.env[lookOnlyVariable] === "1",
    say,
  };
}

/** Lines for people on the terminal, where Pulumi shows them beside its own; everything, with progress, in a file. */
function createLog(): Log {
  const stamp = `${new Date().toISOString().replaceAll(":", "-")}-${process.pid}`;
  const file = process.env.BERTH_LOG_FILE ?? join(projectRoot, ".berth", "logs", `${stamp}.jsonl`);
  const toFile = createFileLog(file, () => new Date());
  return (event) => {
    toFile(event);
    if (event.kind === "step" || event.kind === "warning") say(event.subject, event.text);
  };
}

function say(subject: string, text: string): void {
  console.log(`[berth ${subject}] ${text}`);
}

const surroundings = await createSurroundings(process.argv[2]);
const instances = new ResourceHandler(resourceKinds.Instance, surroundings);
const { log } = surroundings;

export const dispatch = createDispatch({
  Host: new ResourceHandler(resourceKinds.Host, surroundings),
  BackendVersion: new ResourceHandler(resourceKinds.BackendVersion, surroundings),
  ModelFiles: new ResourceHandler(resourceKinds.ModelFiles, surroundings),
  Gateway: new ResourceHandler(resourceKinds.Gateway, surroundings),
  ModelGateway: new ResourceHandler(resourceKinds.ModelGateway, surroundings),
  ModelRoutes: new ResourceHandler(resourceKinds.ModelRoutes, surroundings),
  Subordinate: new ResourceHandler(resourceKinds.Subordinate, surroundings),
  Instance: new RolloutHandler(instances, { limit: new UpdateLimit(), rollouts: new Rollouts(surroundings), log }),
});
