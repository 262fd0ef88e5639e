import { dirname, join } from "node:path";

import { createOpenHost } from "../host/open.js";
import { createContent } from "../install/content.js";
import { currentLock, type CurrentLock } from "../lock/current.js";
import { createLockEdges } from "../lock/edges.js";
import { describeMissing, findMissing } from "../lock/kept-files.js";
import { BerthError } from "../lib/errors.js";
import type { ArtifactEdges } from "../lock/artifact-check.js";
import type { LockEdges } from "../lock/build.js";
import { describeLeftover, findLeftovers } from "../lock/leftovers.js";
import { lockPath } from "../lock/lock-file.js";
import { readProject, type Project } from "../lock/project.js";
import { readDeclaredDevices } from "../lock/runner-files.js";
import type { Promotable } from "../schema/lock.js";
import { findPlainSecret } from "../lock/secret.js";
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
  /** Tell whether the lock holds, and write nothing. */
  check?: boolean;
  /** Ask nobody but the hosts. */
  offline?: boolean;
  /** Choose versions and artifacts of these deployments anew. */
  update?: string[];
  /** Choose those of all deployments anew. */
  upgrade?: boolean;
  /** Take the present commits of models' revisions. */
  upgradeModels?: boolean;
}

/** What says that a lock does not hold, and no more. */
const stale: readonly string[] = ["lock-missing", "lock-stale", "lock-edited"];

/** Solves a stack and writes its lock; returns the exit code: 2 when it is only checked, and does not hold. */
export async function lock(
  workplace: Workplace,
  named: string | undefined,
  options: LockOptions,
  now = new Date(),
): Promise<number> {
  const stack = await chooseStack(workplace, named);
  await tellLeftovers(workplace, stack, now);
  try {
    const current = await solveLock(workplace, stack, {
      frozen: options.check === true,
      anew: true,
      offline: options.offline === true,
      upgradeModels: options.upgradeModels === true || options.upgrade === true,
      renewed: options.upgrade === true ? "all" : (options.update ?? []),
    });
    workplace.print(describeLock(current));
    const { outcome, lock } = current;
    if (outcome.kind === "kept") {
      await tellMissing(workplace, lock);
      return 0;
    }
    for (const choice of outcome.choices) workplace.print(`   ${choice}`);
    for (const warning of outcome.warnings) workplace.note(`warning: ${warning}`);
    return 0;
  } catch (error) {
    if (options.check !== true || !(error instanceof BerthError) || !stale.includes(error.code)) throw error;
    workplace.note(`error: ${error.message} (${error.code})`);
    return 2;
  }
}

async function tellLeftovers(workplace: Workplace, stack: string, now: Date): Promise<void> {
  const { root } = workplace;
  const path = lockPath(stackFileOf(root, stack));
  for (const leftover of await findLeftovers(join(root, path), now)) {
    const file = join(dirname(path), leftover.name);
    workplace.note(`warning: ${file} was ${describeLeftover(leftover)}. Remove it: rm ${file}`);
  }
}

/** What a lock pins and nobody has: hosts that have it already do not mind. */
export async function tellMissing(workplace: Workplace, promotable: Promotable): Promise<void> {
  const { backendFile } = createContent(packageRoot, workplace.root);
  for (const sentence of describeMissing(await findMissing(promotable, backendFile)))
    workplace.note(`warning: ${sentence}`);
}

export interface SolveOptions {
  readonly frozen: boolean;
  readonly anew: boolean;
  readonly upgradeModels?: boolean;
  readonly renewed?: "all" | readonly string[];
  readonly offline?: boolean;
  readonly write?: boolean;
}

/** The lock of a stack, written unless `write` is false. Frozen, by the options or by BERTH_FROZEN=1, it is read and never solved. */
export async function solveLock(workplace: Workplace, stack: string, options: SolveOptions): Promise<CurrentLock> {
  const { environment, root } = workplace;
  const { project, edges } = openLock(workplace, stack, options);
  const frozen = options.frozen || environment.BERTH_FROZEN === "1";
  const upgradeModels = options.upgradeModels === true;
  const owner = `${projectName(root)}/${stack}`;
  const { anew, write = true, renewed = [] } = options;
  if (project.promoted !== undefined && (upgradeModels || renewed.length > 0)) throw notMadeHere(project, stack);
  if (renewed !== "all") assertDeployments(project, renewed);
  return currentLock(project, edges, { owner, frozen, anew: anew && !frozen, write, upgradeModels, renewed });
}

function notMadeHere({ environment }: Project, stack: string): BerthError {
  const from = environment?.predecessor ?? "";
  return new BerthError("usage", {
    what: `the releases of ${stack} are not chosen here: they are promoted from ${from}`,
    hint: `run \`berth lock ${from}\` with it, and then \`berth promote ${from} ${stack}\``,
  });
}

function assertDeployments({ stack }: Project, names: readonly string[]): void {
  const known = Object.keys(stack.deployments);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new BerthError("usage", {
    what: "the stack has no such deployment",
    got: unknown,
    expected: known.length === 0 ? "a deployment" : known.join(" or "),
  });
}

/** What a lock of a stack is solved from, and by. */
export function openLock(
  workplace: Workplace,
  stack: string,
  { offline = false, promoted }: { readonly offline?: boolean; readonly promoted?: Promotable } = {},
): { project: Project; edges: LockEdges & ArtifactEdges } {
  const { environment, root } = workplace;
  const project = readProject(root, stackFileOf(root, stack), packageRoot, { stackName: stack, promoted });
  const edges = createLockEdges({
    openHost: createOpenHost({ environment, projectRoot: root }),
    defaultIndex: environment.PIP_INDEX_URL,
    root,
    workDir: join(root, ".berth", "python"),
    content: createContent(packageRoot, root),
    declared: readDeclaredDevices(root, packageRoot),
    environment,
    registryLogins: project.stack.registryLogins,
    now: () => new Date(),
    offline,
    findSecret: (name) => findSecret(name, workplace, stack),
  });
  return { project, edges };
}

/** The same places as at `pulumi up`, in the same order; the configuration's only where there is a Pulumi to read it. */
export async function findSecret(name: string, workplace: Workplace, stack: string): Promise<string | undefined> {
  const { environment, root } = workplace;
  const { findPulumi } = await import("./toolchain.js");
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
