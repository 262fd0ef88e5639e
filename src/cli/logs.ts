import { join } from "node:path";

import { BerthError } from "../lib/errors.js";
import { createRedact } from "../lib/redact.js";
import { lockPath, readLock } from "../lock/lock-file.js";
import { desiredStack, type DesiredInstance } from "../planner/desired.js";
import type { DesiredSubordinate } from "../planner/desired-subordinates.js";
import type { Contexts } from "../resources/context.js";
import { generationFolder, instanceFolder, listGenerations, readRecord } from "../resources/instance-files.js";
import { runnerDefinition } from "../resources/instance-runner.js";
import { partDefinition, subordinateFolder } from "../resources/subordinate-part.js";
import { readRunner } from "../runtime/runner-files.js";
import { openContexts } from "./contexts.js";
import { chooseStack, openPulumi, stackFileOf, type Workplace } from "./workplace.js";

export interface LogsOptions {
  stack?: string;
  follow?: boolean;
  lines: number;
}

const nothing = { instances: [], subordinates: [] };

interface Reading {
  readonly contexts: Contexts;
  readonly owner: string;
  readonly options: LogsOptions;
  readonly signal: AbortSignal;
  readonly print: (line: string) => void;
}

/**
 * Prints what the runners of a deployment wrote, or that of one replica, secrets replaced. Of several each line begins
 * with the replica's name.
 */
export async function logs(
  workplace: Workplace,
  named: string,
  options: LogsOptions,
  signal: AbortSignal,
): Promise<void> {
  const { root } = workplace;
  const stack = await chooseStack(workplace, options.stack);
  const path = lockPath(stackFileOf(root, stack));
  const lock = await readLock(join(root, path), path);
  const { instances, subordinates } = lock === undefined ? nothing : desiredStack(lock, root);
  const ofDeployment = instances.filter(({ placed }) => placed.deployment === named);
  const chosen = ofDeployment.length > 0 ? ofDeployment : instances.filter(({ name }) => name === named);
  if (chosen.length === 0) {
    const known = [...new Set(instances.map(({ placed }) => placed.deployment))];
    throw new BerthError("usage", {
      where: path,
      what: lock === undefined ? "there is no lock, so no deployment is known" : "the lock has no such deployment",
      got: named,
      ...(known.length === 0 ? {} : { expected: known.join(", ") }),
    });
  }
  const { project } = await openPulumi(workplace);
  const contexts = openContexts(workplace, signal);
  const common = { contexts, owner: `${project}/${stack}`, options, signal };
  const wanted = chosen.flatMap((instance) => [
    { name: instance.name, read: (reading: Reading) => readLog(instance, reading) },
    ...subordinates
      .filter((each) => each.instance === instance.name)
      .map((each) => ({ name: each.holder, read: (reading: Reading) => readSubordinateLog(each, reading) })),
  ]);
  const readings = wanted.map(({ name, read }) => {
    const prefix = wanted.length === 1 ? "" : `${name} | `;
    const print = (text: string) => {
      for (const line of text.split("\n")) workplace.print(`${prefix}${line}`);
    };
    return async () => {
      try {
        await read({ ...common, print });
      } catch (error) {
        // One that lacks does not hide the others.
        if (wanted.length === 1 || !(error instanceof BerthError) || signal.aborted) throw error;
        workplace.note(`${prefix}${error.message}`);
      }
    };
  });
  if (options.follow === true) await Promise.all(readings.map((read) => read()));
  // One after the other: lines of one replica stay together.
  else for (const read of readings) await read();
}

/** What the server, or the Ray node, wrote; nothing of it is secret. */
async function readSubordinateLog(
  { name, host: reference, placed, ray }: DesiredSubordinate,
  { contexts, owner, options, signal, print }: Reading,
): Promise<void> {
  const { supervisor } = contexts.of(reference, (text) => text);
  const part = ray === undefined ? "server" : "node";
  const server = partDefinition(subordinateFolder(reference, owner, name), part);
  const keeper = supervisor(placed.runtime);
  if (options.follow === true) await keeper.followOutput(server, options.lines, { onLine: print, signal });
  else print(await keeper.readOutput(server, options.lines));
}

async function readLog(
  { name, host: reference, placed }: DesiredInstance,
  { contexts, owner, options, signal, print }: Reading,
): Promise<void> {
  const { host, supervisor } = contexts.of(reference, (text) => text);
  const folder = instanceFolder(reference.dataDir, owner, name);
  // Of a runner that never got healthy there is no record, only its files.
  const record = await readRecord(host, folder);
  const current = record?.current ?? (await listGenerations(host, folder)).at(-1);
  if (current === undefined) {
    throw new BerthError("file-not-found", {
      where: `host ${host.name}: ${name}`,
      what: "nothing was run yet",
    });
  }
  const environment = (await readRunner(host, generationFolder(folder, current)))?.environment ?? {};
  const redact = createRedact(Object.keys(placed.secretEnv).map((variable) => environment[variable] ?? ""));
  const onLine = (line: string) => print(redact(line));
  const { healthyDeadlineSeconds, stopSeconds, runtime } = placed;
  const runner = runnerDefinition({ healthyDeadlineSeconds, stopSeconds }, folder, current, record);
  const keeper = supervisor(record?.runtime ?? runtime);
  if (options.follow === true) await keeper.followOutput(runner, options.lines, { onLine, signal });
  else onLine(await keeper.readOutput(runner, options.lines));
}
