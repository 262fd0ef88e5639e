import { join } from "node:path";

import { createOpenHost } from "../host/open.js";
import { createContent } from "../install/content.js";
import { currentLock, type CurrentLock } from "../lock/current.js";
import { createLockEdges } from "../lock/edges.js";
import type { LockEdges } from "../lock/build.js";
import { readProject, type Project } from "../lock/project.js";
import { findPlainSecret } from "../lock/secret.js";
import { findPulumi } from "./toolchain.js";
import {
  chooseStack,
  packageRoot,
  projectName,
  Pulumi,
  pulumiEnvironment,
  stackFileOf,
  type Workplace,
} from "./workplace.js";

export interface LockOptions {
  /** Fail when the lock does not hold, and write nothing. */
  check?: boolean;
  /** Take the present commits of models' revisions. */
  upgradeModels?: boolean;
}

/** Solves a stack and writes its lock. */
export async function lock(workplace: Workplace, named: string | undefined, options: LockOptions): Promise<void> {
  const stack = await chooseStack(workplace, named);
  const current = await solveLock(workplace, stack, {
    frozen: options.check === true,
    anew: true,
    upgradeModels: options.upgradeModels === true,
  });
  workplace.print(describeLock(current));
  const { outcome } = current;
  if (outcome.kind === "kept") return;
  for (const choice of outcome.choices) workplace.print(`   ${choice}`);
  for (const warning of outcome.warnings) workplace.note(`warning: ${warning}`);
}

/** The lock of a stack, written unless `write` is false. Frozen, by the options or by BERTH_FROZEN=1, it is read and never solved. */
export async function solveLock(
  workplace: Workplace,
  stack: string,
  options: { frozen: boolean; anew: boolean; upgradeModels?: boolean; write?: boolean },
): Promise<CurrentLock> {
  const { environment, root } = workplace;
  const { project, edges } = openLock(workplace, stack);
  const frozen = options.frozen || environment.BERTH_FROZEN === "1";
  const upgradeModels = options.upgradeModels === true;
  const owner = `${projectName(root)}/${stack}`;
  const { anew, write = true } = options;
  return currentLock(project, edges, { owner, frozen, anew: anew && !frozen, write, upgradeModels });
}

/** What a lock of a stack is solved from, and by. */
export function openLock(workplace: Workplace, stack: string): { project: Project; edges: LockEdges } {
  const { environment, root } = workplace;
  const project = readProject(root, stackFileOf(root, stack), packageRoot);
  const edges = createLockEdges({
    openHost: createOpenHost({ environment, projectRoot: root }),
    defaultIndex: environment.PIP_INDEX_URL,
    root,
    workDir: join(root, ".berth", "python"),
    content: createContent(packageRoot, root),
    environment,
    registryLogins: project.stack.registryLogins,
    now: () => new Date(),
    findSecret: (name) => findSecret(name, workplace, stack),
  });
  return { project, edges };
}

/** The same places as at `pulumi up`, in the same order; the configuration's only where there is a Pulumi to read it. */
async function findSecret(name: string, workplace: Workplace, stack: string): Promise<string | undefined> {
  const { environment, root } = workplace;
  const toolchain = await findPulumi({ environment, packageRoot, report: () => undefined });
  if (toolchain !== undefined) {
    const pulumi = new Pulumi(root, toolchain, await pulumiEnvironment(workplace, toolchain));
    const { exitCode, stdout } = await pulumi.run(["config", "get", `berth:${name}`, "--stack", stack]);
    if (exitCode === 0) return stdout;
  }
  return findPlainSecret(name, { environment, projectRoot: root });
}

/** `stacks/dev.lock.yaml 7f3c9a1 (unchanged)` */
export function describeLock({ lock: { id }, path, outcome }: CurrentLock): string {
  const changed = outcome.kind === "solved" && outcome.changed;
  return `${path} ${id.slice(0, 7)} (${changed ? `solved: ${outcome.reason}` : "unchanged"})`;
}
