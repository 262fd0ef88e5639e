import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { BerthError } from "../lib/errors.js";
import { shown } from "../lib/shown.js";
import { lockPath } from "../lock/lock-file.js";
import { writeNew } from "./backend-import.js";
import { driftWorkflow } from "./github/drift-workflow.js";
import { planWorkflow } from "./github/plan-workflow.js";
import { promoteWorkflow } from "./github/promote-workflow.js";
import type { CiStack } from "./github/steps.js";
import { upWorkflow } from "./github/up-workflow.js";
import { stackFileOf, type Workplace } from "./workplace.js";

export interface CiOptions {
  /** Names by commas, in the order in which they are changed. */
  stacks?: string;
  force?: boolean;
}

/** Workflows by their paths in the project. Pure; equal stacks give equal bytes. */
export function githubWorkflows(stacks: readonly CiStack[]): Record<string, string> {
  return {
    ".github/workflows/berth-plan.yml": planWorkflow(stacks),
    ".github/workflows/berth-up.yml": upWorkflow(stacks),
    // With one environment there is nowhere to promote to.
    ...(stacks.length < 2 ? {} : { ".github/workflows/berth-promote.yml": promoteWorkflow(stacks) }),
    ".github/workflows/berth-drift.yml": driftWorkflow(stacks),
  };
}

/** Writes the workflows of a CI system into the project: all of them, or none. */
export async function initCi(workplace: Workplace, system: string, options: CiOptions): Promise<void> {
  if (system !== "github")
    throw new BerthError("usage", { what: "no such CI system", got: system, expected: "github" });
  const { root } = workplace;
  const named = options.stacks?.split(",").map((name) => name.trim());
  const names = named ?? (await findStacks(root));
  assertStacks(root, names);
  const workflows = githubWorkflows(names.map((name) => ciStack(root, name)));
  const files = Object.entries(workflows).map(([path, text]) => ({ path: join(root, path), text }));
  await writeNew(files, root, options.force === true);
  for (const path of Object.keys(workflows)) workplace.print(path);
  workplace.print(
    "docs/ci.md of Berth tells which variables and secrets to set; until then the workflows fail and change nothing",
  );
}

/** The usual order first, then the others by name. */
async function findStacks(root: string): Promise<string[]> {
  const usual = ["dev", "staging", "prod"];
  const files = await readdir(join(root, "stacks")).catch(() => []);
  const names = files
    .flatMap((file) => /^([a-z0-9-]+)\.yaml$/.exec(file)?.[1] ?? [])
    .filter((name) => name !== "environments");
  const rank = (name: string) => (usual.includes(name) ? usual.indexOf(name) : usual.length);
  return names.sort((one, other) => rank(one) - rank(other) || (one < other ? -1 : 1));
}

const stackName = /^[a-z0-9][a-z0-9-]{0,60}$/;

function assertStacks(root: string, names: readonly string[]): void {
  const wrong = names.find((name) => !stackName.test(name));
  const missing = names.find((name) => wrong === undefined && !existsSync(join(root, stackFileOf(root, name))));
  if (names.length > 0 && wrong === undefined && missing === undefined && new Set(names).size === names.length) return;
  throw new BerthError("usage", {
    what: missing === undefined ? "the stacks are not named well" : "a stack has no stack file",
    got: missing === undefined ? (wrong ?? names.join(",")) : stackFileOf(root, missing),
    expected: "names of stacks, each once, in the order in which they are changed: --stacks dev,staging,prod",
  });
}

function ciStack(root: string, name: string): CiStack {
  const file = stackFileOf(root, name);
  const lock = shown(root, lockPath(join(root, file)));
  const files = [file, lock, `Pulumi.${name}.yaml`];
  const unfit = files.find((path) => !/^[A-Za-z0-9._/-]+$/.test(path));
  if (unfit === undefined) return { name, lock, files };
  throw new BerthError("usage", {
    what: "a file of the stack has a name that scripts would have to quote",
    got: unfit,
    expected: "letters, digits, dots, hyphens and underscores",
  });
}
