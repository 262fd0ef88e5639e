import { basename, dirname, join, resolve } from "node:path";

import { serviceArguments } from "../catalog/dockerfile-arguments.js";
import type { LintFinding } from "../catalog/dockerfile-finding.js";
import { lintDockerfile } from "../catalog/dockerfile-lint.js";
import { parseDockerfile } from "../catalog/dockerfile.js";
import type { RunnerCatalogue } from "../catalog/runner-catalogue.js";
import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import { shown } from "../lib/shown.js";
import { readRecipeOf, readRecipes, type FoundRecipe } from "../lock/build-recipes.js";
import { readPlainFile } from "../lock/catalogue-folder.js";
import { readRunners } from "../lock/runner-files.js";
import type { buildFormats } from "./arguments.js";
import { packageRoot, type Workplace } from "./workplace.js";

export interface RunnerLintOptions {
  format: (typeof buildFormats)[number];
}

/**
 * Prints where Dockerfiles do not follow the convention: those given, else the project's and Berth's. What services a
 * file is for is told by its matrix, its name, and its arguments.
 *
 * @returns the exit code: 1 when something was found
 */
export function lintRunners(workplace: Workplace, files: readonly string[], { format }: RunnerLintOptions): number {
  const { root } = workplace;
  const catalogue = readRunners(root, packageRoot);
  const subjects = files.length > 0 ? files.map((file) => subjectOf(root, file)) : projectSubjects(root);
  const found = subjects.flatMap((subject) => lintFile(root, subject, catalogue));
  if (format === "json") workplace.print(JSON.stringify(found, undefined, 2));
  else
    for (const { file, line, column, rule, text } of found)
      workplace.print(`${file}:${line}:${column}: ${rule}: ${text}`);
  workplace.note(`${subjects.length} Dockerfiles, ${found.length === 0 ? "no" : found.length} findings`);
  return found.length === 0 ? 0 : 1;
}

/** A Dockerfile with the recipe whose folder has it. */
interface LintSubject {
  readonly path: string;
  readonly recipe: FoundRecipe | undefined;
}

function projectSubjects(root: string): LintSubject[] {
  return readRecipes(root, packageRoot).flatMap((recipe) =>
    Object.keys(recipe.dockerfiles)
      .sort()
      .map((name) => ({ path: join(recipe.folder, name), recipe })),
  );
}

function subjectOf(root: string, file: string): LintSubject {
  const path = resolve(file);
  return { path, recipe: readRecipeOf(root, path) };
}

function lintFile(
  root: string,
  { path, recipe }: LintSubject,
  { files }: RunnerCatalogue,
): (LintFinding & { readonly file: string })[] {
  const file = shown(root, path);
  const text = readPlainFile(path, root);
  const acceleratorType = basename(dirname(path));
  const known = lookUp(files, acceleratorType);
  if (known === undefined)
    throw new BerthError("usage", {
      ...{ where: file, what: "the Dockerfile's folder has not the name of an accelerator type", got: acceleratorType },
      expected: Object.keys(files).join(", "),
    });
  const services = servicesOf(basename(path), text, Object.keys(known.services), recipe);
  return lintDockerfile(text, file, { acceleratorType, services }).map((finding) => ({ file, ...finding }));
}

/** The services that a file is to have a target for. */
function servicesOf(name: string, text: string, known: readonly string[], recipe: FoundRecipe | undefined): string[] {
  const own = known.find((service) => name === `Dockerfile.${service}`);
  if (own !== undefined) return [own];
  const built = (recipe?.matrix.rules ?? [])
    .filter((rule) => (rule.dockerfile ?? "Dockerfile") === name)
    .flatMap(({ services }) => services);
  const apart = Object.keys(recipe?.dockerfiles ?? {}).map((file) => file.replace(/^Dockerfile\.?/, ""));
  const { arguments: declared } = parseDockerfile(text, name);
  const told = known.filter((service) => declared.some((one) => one.name === serviceArguments(service).version));
  return [...new Set([...built.filter((service) => !apart.includes(service)), ...told])];
}
