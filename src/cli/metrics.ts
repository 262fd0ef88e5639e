import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";

import { BerthError, messageOf, systemCode } from "../lib/errors.js";
import { alertRules } from "../planner/alert-rules.js";
import { desiredStack } from "../planner/desired.js";
import { scrapeTargets } from "../planner/scrape-targets.js";
import { yamlLibrary } from "../schema/yaml-library.js";
import { expectEnvironmentLock } from "./environment-lock.js";
import { chooseStack, type Workplace } from "./workplace.js";

export interface MetricsOptions {
  stack?: string;
  /** Where the files are written; printed is the list of targets alone. */
  out?: string;
  /** The host that Prometheus runs on. */
  from?: string;
  exporters?: boolean;
}

/** Tells Prometheus what to scrape of a stack, and when to raise an alarm. Asks no host. */
export async function metrics(workplace: Workplace, options: MetricsOptions): Promise<void> {
  const stack = await chooseStack(workplace, options.stack);
  const lock = await expectEnvironmentLock(workplace.root, stack);
  const { hosts } = lock.placement;
  const { from, exporters = false, out } = options;
  if (from !== undefined && !Object.hasOwn(hosts, from)) {
    throw new BerthError("usage", {
      what: "the lock has no such host",
      got: from,
      expected: Object.keys(hosts).join(", "),
    });
  }
  const desired = desiredStack(lock, workplace.root);
  const { targets, leftOut } = scrapeTargets({ stack, hosts, desired, from, exporters });
  for (const sentence of leftOut) workplace.note(`left out: ${sentence}`);
  const list = JSON.stringify(targets, undefined, 2);
  if (out === undefined) {
    workplace.print(list);
    return;
  }
  const rules = yamlLibrary().stringify(alertRules(), { lineWidth: 0 });
  for (const [name, text] of [
    [`${stack}.targets.json`, `${list}\n`],
    ["berth.rules.yaml", rules],
  ] as const) {
    await write(out, name, text);
    workplace.note(`written: ${join(out, name)}`);
  }
}

async function write(folder: string, name: string, text: string): Promise<void> {
  try {
    await mkdir(resolve(folder), { recursive: true });
    await writeFile(resolve(folder, name), text);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    throw new BerthError("usage", { where: join(folder, name), what: "it cannot be written", got: messageOf(error) });
  }
}
