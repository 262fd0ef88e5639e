import { join } from "node:path";

import { createRedact } from "../lib/redact.js";
import { BerthError } from "../lib/errors.js";
import { lockPath, readLock } from "../lock/lock-file.js";
import { desiredStack } from "../planner/desired.js";
import { generationFolder, instanceFolder, listGenerations, readRecord } from "../resources/instance-files.js";
import { outputPath, readRunner } from "../runtime/runner-files.js";
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
  const { host } = openContexts(workplace, signal).of(instance.host, (text) => text);
  const folder = instanceFolder(instance.host.dataDir, `${project}/${stack}`, instance.name);
  // Of a runner that never got healthy there is no record, only its files.
  const current = (await readRecord(host, folder))?.current ?? (await listGenerations(host, folder)).at(-1);
  if (current === undefined) {
    throw new BerthError("file-not-found", {
      where: `host ${host.name}: ${instance.name}`,
      what: "nothing was run yet",
    });
  }
  const runner = generationFolder(folder, current);
  const environment = (await readRunner(host, runner))?.environment ?? {};
  const redact = createRedact(Object.keys(instance.placed.secretEnv).map((variable) => environment[variable] ?? ""));
  const follow = options.follow === true ? ["-F"] : [];
  await host.run(["tail", "-n", String(options.lines), ...follow, outputPath(runner)], {
    signal,
    onLine: (line) => workplace.print(redact(line)),
  });
}
