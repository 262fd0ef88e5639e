import { join } from "node:path";

import { createRedact } from "../lib/redact.js";
import { BerthError } from "../lib/errors.js";
import { lockPath, readLock } from "../lock/lock-file.js";
import { desiredStack } from "../planner/desired.js";
import { generationFolder, instanceFolder, listGenerations, readRecord } from "../resources/instance-files.js";
import { runnerDefinition } from "../resources/instance-runner.js";
import { readRunner } from "../runtime/runner-files.js";
import { openContexts } from "./contexts.js";
import { chooseStack, openPulumi, stackFileOf, type Workplace } from "./workplace.js";

export interface LogsOptions {
  stack?: string;
  follow?: boolean;
  lines: number;
}

/** Prints what the runners of a deployment wrote, secrets replaced. */
export async function logs(
  workplace: Workplace,
  deployment: string,
  options: LogsOptions,
  signal: AbortSignal,
): Promise<void> {
  const { root } = workplace;
  const stack = await chooseStack(workplace, options.stack);
  const path = lockPath(stackFileOf(root, stack));
  const lock = await readLock(join(root, path), path);
  const instances = lock === undefined ? [] : desiredStack(lock, root).instances;
  const instance = instances.find(({ placed }) => placed.deployment === deployment);
  if (instance === undefined) {
    const known = [...new Set(instances.map(({ placed }) => placed.deployment))];
    throw new BerthError("usage", {
      where: path,
      what: lock === undefined ? "there is no lock, so no deployment is known" : "the lock has no such deployment",
      got: deployment,
      ...(known.length === 0 ? {} : { expected: known.join(", ") }),
    });
  }
  const { project } = await openPulumi(workplace);
  const { host, supervisor } = openContexts(workplace, signal).of(instance.host, (text) => text);
  const folder = instanceFolder(instance.host.dataDir, `${project}/${stack}`, instance.name);
  // Of a runner that never got healthy there is no record, only its files.
  const record = await readRecord(host, folder);
  const current = record?.current ?? (await listGenerations(host, folder)).at(-1);
  if (current === undefined) {
    throw new BerthError("file-not-found", {
      where: `host ${host.name}: ${instance.name}`,
      what: "nothing was run yet",
    });
  }
  const environment = (await readRunner(host, generationFolder(folder, current)))?.environment ?? {};
  const redact = createRedact(Object.keys(instance.placed.secretEnv).map((variable) => environment[variable] ?? ""));
  const onLine = (line: string) => workplace.print(redact(line));
  const { healthyDeadlineSeconds, stopSeconds, runtime } = instance.placed;
  const runner = runnerDefinition({ healthyDeadlineSeconds, stopSeconds }, folder, current, record);
  const keeper = supervisor(record?.runtime ?? runtime);
  if (options.follow === true) await keeper.followOutput(runner, options.lines, { onLine, signal });
  else onLine(await keeper.readOutput(runner, options.lines));
}
