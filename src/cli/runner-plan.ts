import { digestInputs } from "../catalog/runner-build-inputs.js";
import { planBuilds } from "../catalog/runner-build-plan.js";
import { selectBuilds } from "../catalog/runner-build-selection.js";
import type { BuildPlan } from "../catalog/runner-build.js";
import type { RunnerCatalogue } from "../catalog/runner-catalogue.js";
import { BerthError } from "../lib/errors.js";
import { readBuildContent, readRecipes, type FoundRecipe } from "../lock/build-recipes.js";
import { readRunners } from "../lock/runner-files.js";
import type { buildFormats } from "./arguments.js";
import { assertKnown, assertPlace, type ImagePlace } from "./runner-list.js";
import { plainTable } from "./table.js";
import { packageRoot, type Workplace } from "./workplace.js";

/** Options that choose what is built, as commander gives them. */
export interface BuildOptions extends ImagePlace {
  namespace: string;
  accelerator?: string;
  service?: string;
  tag?: string;
  platform?: string;
  /** `NAME=VALUE` */
  arg?: string[];
}

export interface RunnerPlanOptions extends BuildOptions {
  release?: boolean;
  format: (typeof buildFormats)[number];
}

/** A plan of builds with what it was made from. */
export interface OpenBuilds {
  /** What is meant. */
  readonly selected: BuildPlan;
  /** All of the accelerator types that are meant. */
  readonly whole: BuildPlan;
  readonly recipes: readonly FoundRecipe[];
  readonly catalogue: RunnerCatalogue;
  /** What each image is built from, by platform tag. */
  readonly inputs: Readonly<Record<string, string>>;
}

/** Prints what would be built. Nothing is an empty list, and no error. */
export function printBuilds(workplace: Workplace, options: RunnerPlanOptions): void {
  const { selected, inputs, recipes } = openBuilds(workplace, options);
  const { jobs, manifests } = selected;
  const images = manifests.map(({ tag, devImage, image, platformTags }) => {
    return { tag, image: options.release === true ? image : devImage, platformTags };
  });
  if (options.format === "json") {
    const rows = jobs.map((job) => ({ ...job, inputs: inputs[job.platformTag] }));
    workplace.print(JSON.stringify({ jobs: rows, manifests: images }, undefined, 2));
    return;
  }
  if (jobs.length > 0) {
    const rows = jobs.map(({ image, dockerfile, needs }) => {
      return [image, dockerfile, needs.map(({ platformTag }) => platformTag).join(" ") || "-"];
    });
    workplace.print(plainTable(["IMAGE", "DOCKERFILE", "MADE FROM"], rows));
    workplace.print("");
    const whole = images.map(({ image, platformTags }) => [image, platformTags.join(" ")]);
    workplace.print(plainTable(["IMAGE OF ALL PLATFORMS", "MADE FROM"], whole));
  }
  if (jobs.length === 0) workplace.note(describeNothing(recipes, options));
}

/** Why nothing is built, where that is known. */
export function describeNothing(recipes: readonly FoundRecipe[], { accelerator }: BuildOptions): string {
  if (accelerator === undefined || recipes.length > 0) return "nothing is built";
  return `nothing is built, because there is no backends/runners/${accelerator}/matrix.yaml`;
}

/** Reads matrices and Dockerfiles, and plans what they say. */
export function openBuilds(workplace: Workplace, options: BuildOptions): OpenBuilds {
  const { root } = workplace;
  const catalogue = readRunners(root, packageRoot);
  const { accelerator: acceleratorType, service, tag, platform, registry, namespace } = options;
  assertKnown(catalogue, options);
  assertPlace(catalogue, options);
  const recipes = readRecipes(root, packageRoot, acceleratorType);
  const prefix = registry === undefined ? namespace : `${registry}/${namespace}`;
  const whole = planBuilds({ catalogue, recipes, args: readArgs(options.arg ?? []), prefix });
  const selected = selectBuilds(whole, { acceleratorType, service, tag, platform });
  return { selected, whole, recipes, catalogue, inputs: digestInputs(whole.jobs, readBuildContent(root, recipes)) };
}

function readArgs(written: readonly string[]): Record<string, string> {
  const args: Record<string, string> = {};
  for (const one of written) {
    const [, name, value] = /^([A-Z][A-Z0-9_]*)=([^\n\r]*)$/.exec(one) ?? [];
    if (name === undefined || value === undefined || Object.hasOwn(args, name))
      throw new BerthError("usage", {
        what: "this is no argument of a build, or it is there twice",
        got: one,
        expected: "NAME=VALUE",
      });
    args[name] = value;
  }
  return args;
}
