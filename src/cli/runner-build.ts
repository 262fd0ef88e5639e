import { basename, join } from "node:path";

import type { BuildJob } from "../catalog/runner-build.js";
import { baseEnvironment } from "../host/environment.js";
import { LocalHost } from "../host/local.js";
import { createRegistryLogins } from "../host/registry-login.js";
import { BerthError } from "../lib/errors.js";
import { shown } from "../lib/shown.js";
import { packContext, type FoundRecipe } from "../lock/build-recipes.js";
import { buildImages, type BuildStep } from "../lock/image-build.js";
import { createImageBuilder } from "../runtime/image-builder.js";
import type { buildFormats } from "./arguments.js";
import { untilInterrupted } from "./interrupts.js";
import { describeNothing, openBuilds, type BuildOptions } from "./runner-plan.js";
import type { Workplace } from "./workplace.js";

export interface RunnerBuildOptions extends BuildOptions {
  force?: boolean;
  format: (typeof buildFormats)[number];
}

/**
 * Builds the images that matrices say on this machine's Docker Engine, and pushes them, the images of several platforms
 * under their `-dev` tags. What the registry has of the same inputs is not built.
 */
export async function buildRunners(workplace: Workplace, options: RunnerBuildOptions): Promise<void> {
  const { root, environment } = workplace;
  const { selected, whole, inputs, recipes } = openBuilds(workplace, options);
  const host = new LocalHost("this machine", baseEnvironment(environment));
  const recipeOf = findRecipe(recipes);
  const steps: BuildStep[] = [];
  const report = (step: BuildStep): void => {
    if (step.kind !== "building") steps.push(step);
    if (options.format === "table") print(workplace, step);
    else workplace.note(`${step.kind} ${step.image}`);
  };
  await buildImages({
    ...{ selected, whole, inputs, report },
    builder: createImageBuilder(host),
    findLogin: createRegistryLogins(environment, host),
    force: options.force === true,
    pack: async (job) => {
      const { folder } = recipeOf(job);
      const dockerfile = basename(job.dockerfile);
      return { archive: await packContext(root, folder, dockerfile), dockerfile };
    },
    needsNewEngine: (job) => hasHeredocs(recipeOf(job), root, job),
    signal: untilInterrupted(),
    onLine: (line) => workplace.note(`   ${line}`),
  });
  if (options.format === "json") workplace.print(JSON.stringify(steps, undefined, 2));
  if (selected.jobs.length === 0) workplace.note(describeNothing(recipes, options));
}

function findRecipe(recipes: readonly FoundRecipe[]): (job: BuildJob) => FoundRecipe {
  return ({ acceleratorType }) => {
    const recipe = recipes.find((one) => one.acceleratorType === acceleratorType);
    if (recipe !== undefined) return recipe;
    throw new BerthError("file-not-found", {
      what: "there is no matrix of the accelerator type",
      got: acceleratorType,
    });
  };
}

/** Of files that the engine reads itself. */
function hasHeredocs({ folder, dockerfiles }: FoundRecipe, root: string, job: BuildJob): boolean {
  const found = Object.entries(dockerfiles).find(([name]) => shown(root, join(folder, name)) === job.dockerfile)?.[1];
  if (found === undefined || found.syntax !== undefined) return false;
  return found.stages.some(({ instructions }) => instructions.some(({ isHeredoc }) => isHeredoc));
}

function print(workplace: Workplace, step: BuildStep): void {
  switch (step.kind) {
    case "building":
      workplace.note(`building ${step.image} ...`);
      return;
    case "waiting":
      workplace.print(
        `${step.image}: not put together, because there is no image of these inputs for ${step.missing.join(", ")}`,
      );
      return;
    default:
      workplace.print(`${step.image}@${step.digest}: ${words[step.kind]}`);
  }
}

const words = {
  built: "built and pushed",
  unchanged: "there already, of the same inputs",
  combined: "put together",
  same: "there already",
} as const;
