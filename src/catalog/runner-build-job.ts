import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import type { RunnerFile } from "../schema/runner.js";
import type { RunnerMatrixRule } from "../schema/runner-matrix.js";
import { serviceVersionPattern } from "../schema/runner.js";
import { argumentNames, serviceArguments } from "./dockerfile-arguments.js";
import { fillVariables, stagesOf, type Dockerfile } from "./dockerfile.js";
import { nearestNames } from "./nearest.js";
import type { BuildJob, BuildRecipe, BuildRequest } from "./runner-build.js";
import { formatRunnerTag } from "./runner-name.js";

/** A job before it is known which images it is made from. */
export interface DraftJob {
  readonly job: Omit<BuildJob, "bases" | "needs" | "image" | "cacheImages"> & { readonly cacheTags: readonly string[] };
  /** The images that its stages are made from, with the argument that says so. */
  readonly bases: readonly Base[];
  /** Where its rule stands. */
  readonly where: string;
}

export interface Base {
  readonly reference: string;
  /** Undefined where it stands in the `FROM` itself. */
  readonly argument: string | undefined;
  readonly where: string;
}

/** One rule of a matrix with what it is about. */
interface Setting {
  readonly recipe: BuildRecipe;
  readonly request: BuildRequest;
  readonly file: RunnerFile;
  readonly rule: RunnerMatrixRule;
  readonly index: number;
}

/** The same for one service. */
interface ServiceSetting extends Setting {
  readonly service: string;
  readonly dockerfile: Dockerfile;
  /** Values of the arguments before the first stage. */
  readonly values: Readonly<Record<string, string>>;
}

/** The jobs of a recipe, in the order of its matrix. */
export function draftJobs(recipe: BuildRecipe, request: BuildRequest): DraftJob[] {
  const file = lookUp(request.catalogue.files, recipe.acceleratorType);
  if (file === undefined) {
    const { acceleratorType } = recipe;
    const [near] = nearestNames(acceleratorType, Object.keys(request.catalogue.files));
    throw new BerthError("file-invalid", {
      ...{ where: placeOf(recipe, []), what: "no catalogue file has the accelerator type", got: acceleratorType },
      hint: `write backends/runners/${acceleratorType}.yaml first${near === undefined ? "" : `, or rename the folder: did you mean ${near}?`}`,
    });
  }
  return recipe.matrix.rules.flatMap((rule, index) => {
    const setting = { recipe, request, file, rule, index };
    const services = rule.services.map((service, at) => openService(setting, service, at));
    refuseUntaken(setting, services);
    return services.flatMap((one) => rule.platforms.map((platform) => draftJob(one, platform)));
  });
}

function openService(setting: Setting, service: string, at: number): ServiceSetting {
  const { recipe, request, file, rule, index } = setting;
  const where = placeOf(recipe, ["rules", index, "services", at]);
  if (!Object.hasOwn(file.services, service)) {
    const known = Object.keys(file.services);
    const [near] = nearestNames(service, known);
    throw new BerthError("file-invalid", {
      ...{ where, what: `${file.name} has no such service`, got: service, expected: known.join(", ") },
      ...(near === undefined ? {} : { hint: `did you mean ${near}?` }),
    });
  }
  const names = rule.dockerfile === undefined ? [`Dockerfile.${service}`, "Dockerfile"] : [rule.dockerfile];
  const dockerfile = names.map((name) => lookUp(recipe.dockerfiles, name)).find((one) => one !== undefined);
  if (dockerfile === undefined)
    throw new BerthError("file-invalid", {
      where,
      what: "it has no Dockerfile beside the matrix",
      expected: names.join(" or "),
    });
  const own = Object.create(null) as Record<string, string>;
  for (const { name, value = "" } of dockerfile.arguments) {
    own[name] = lookUp(request.args, name) ?? lookUp(rule.args, name) ?? fillVariables(value, own);
  }
  const target = rule.target ?? service;
  if (!dockerfile.stages.some(({ name }) => name === target))
    throw new BerthError("file-invalid", { where, what: `${dockerfile.file} has no stage ${target}` });
  return { ...setting, service, dockerfile, values: { ...own } };
}

function draftJob(setting: ServiceSetting, platform: string): DraftJob {
  const { recipe, rule, index, service, dockerfile, values } = setting;
  const { acceleratorType } = recipe;
  const runtimeVersion = readRuntimeVersion(setting);
  const acceleratorVersion = runtimeVersion.split(".").slice(0, 2).join(".");
  const named = { acceleratorType, acceleratorVersion, variant: readVariant(setting), service };
  const serviceVersion = readServiceVersion(setting);
  const suffix = { kind: "platform", platform } as const;
  const tag = formatRunnerTag({ ...named, serviceVersion });
  const parts = serviceVersion.split(".");
  const cached = [serviceVersion, parts.slice(0, 2).join("."), parts.slice(0, 1).join(".")];
  const target = rule.target ?? service;
  return {
    job: {
      ...{ tag, platformTag: formatRunnerTag({ ...named, serviceVersion, suffix }) },
      cacheTags: [...new Set(cached)].map((version) => formatRunnerTag({ ...named, serviceVersion: version, suffix })),
      ...{ ...named, runtimeVersion, serviceVersion, platform },
      ...{ dockerfile: dockerfile.file, target, args: argsOf(setting) },
    },
    bases: basesOf(setting, target, { ...platformValues(platform), ...values }),
    where: placeOf(recipe, ["rules", index]),
  };
}

/** What a build knows of itself. */
function platformValues(platform: string): Record<string, string> {
  const [os = "", arch = ""] = platform.split("/");
  return { TARGETPLATFORM: platform, TARGETOS: os, TARGETARCH: arch };
}

function readRuntimeVersion(setting: ServiceSetting): string {
  const { version } = argumentNames({ ...setting.recipe, services: [] });
  const value = requireValue(setting, version);
  if (/^\d+\.\d+(?:\.\w+)*$/.test(value)) return value;
  throw refusal(setting, version, "it is no version of the vendor's runtime", "MAJOR.MINOR, and more perhaps");
}

function readServiceVersion(setting: ServiceSetting): string {
  const { version } = serviceArguments(setting.service);
  const value = requireValue(setting, version);
  if (serviceVersionPattern.test(value)) return value;
  throw refusal(setting, version, "it is no version that a tag can have", "such as 0.15.1 or 0.5.1.post3");
}

/** Only where the accelerator type has variants. */
function readVariant(setting: ServiceSetting): string | undefined {
  const { archs } = argumentNames({ ...setting.recipe, services: [] });
  const variants = Object.keys(setting.file.variants ?? {});
  if (variants.length === 0) return undefined;
  const value = requireValue(setting, archs);
  if (variants.includes(value)) return value;
  throw refusal(setting, archs, `${setting.file.name} has no such variant`, variants.join(", "));
}

function requireValue(setting: ServiceSetting, name: string): string {
  const { dockerfile, values, recipe, index } = setting;
  const value = lookUp(values, name);
  if (value !== undefined && value !== "") return value;
  if (value === undefined) {
    const where = placeOf(recipe, ["rules", index]);
    throw new BerthError("file-invalid", {
      where,
      what: `${dockerfile.file} has no ARG ${name} before its first stage`,
    });
  }
  throw refusal(setting, name, "it has no value");
}

function refusal(setting: ServiceSetting, name: string, what: string, expected?: string): BerthError {
  const where = placeOfArgument(setting, name);
  const got = lookUp(setting.values, name) ?? "";
  const isGiven = Object.hasOwn(setting.request.args, name);
  const parts = { where, what: `${name}: ${what}`, ...(got === "" ? {} : { got }) };
  return new BerthError(isGiven ? "usage" : "file-invalid", expected === undefined ? parts : { ...parts, expected });
}

/** Where an argument got its value. */
function placeOfArgument({ request, rule, recipe, index, dockerfile }: ServiceSetting, name: string): string {
  if (Object.hasOwn(request.args, name)) return `--arg ${name}`;
  if (Object.hasOwn(rule.args, name)) return placeOf(recipe, ["rules", index, "args", name]);
  const { line = 1, column = 1 } = dockerfile.arguments.find((one) => one.name === name) ?? {};
  return `${dockerfile.file}:${line}:${column}`;
}

/** What is not the Dockerfile's own, of what it takes. */
function argsOf({ request, rule, dockerfile }: ServiceSetting): Record<string, string> {
  const taken = takenBy(dockerfile);
  const all = Object.entries({ ...rule.args, ...request.args }).filter(([name]) => taken.has(name));
  return Object.fromEntries(all.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function takenBy({ arguments: declared, stages }: Dockerfile): ReadonlySet<string> {
  const inStages = stages.flatMap(({ instructions }) => instructions.flatMap((one) => one.arguments));
  return new Set([...declared, ...inStages].map(({ name }) => name));
}

function refuseUntaken({ recipe, rule, index }: Setting, services: readonly ServiceSetting[]): void {
  const taken = services.map(({ dockerfile }) => takenBy(dockerfile));
  const name = Object.keys(rule.args).find((one) => !taken.some((names) => names.has(one)));
  if (name === undefined) return;
  const { file, line, column } = recipe.locate(["rules", index, "args", name], "key");
  const files = [...new Set(services.map(({ dockerfile }) => dockerfile.file))].join(", ");
  const [near] = nearestNames(name, [...new Set(taken.flatMap((names) => [...names]))]);
  throw new BerthError("file-invalid", {
    ...{ where: `${file}:${line}:${column}`, what: "no ARG takes it", got: name, expected: `an ARG of ${files}` },
    ...(near === undefined ? {} : { hint: `did you mean ${near}?` }),
  });
}

/** What the stages of a target are made from, without the stages themselves and `scratch`. */
function basesOf(setting: ServiceSetting, target: string, values: ServiceSetting["values"]): Base[] {
  const { dockerfile } = setting;
  const own = new Set(dockerfile.stages.map(({ name }) => name?.toLowerCase()));
  return stagesOf(dockerfile, target, values).flatMap(({ base, line, column }): Base[] => {
    const reference = fillVariables(base, values);
    if (reference === "scratch" || own.has(reference.toLowerCase())) return [];
    const argument = /^\$\{?(\w+)\}?$/.exec(base)?.[1];
    const where = argument === undefined ? `${dockerfile.file}:${line}:${column}` : placeOfArgument(setting, argument);
    if (reference === "") throw new BerthError("file-invalid", { where, what: `${base} is no image: it has no value` });
    if (argument?.endsWith("_BASE_IMAGE") === true && !/[:/@]/.test(reference)) {
      const what = `${argument}: it is neither a stage of ${dockerfile.file} nor an image with a tag`;
      throw new BerthError("file-invalid", { where, what, got: reference });
    }
    return [{ reference, argument, where }];
  });
}

function placeOf({ locate }: BuildRecipe, path: readonly PropertyKey[]): string {
  const { file, line, column } = locate(path);
  return `${file}:${line}:${column}`;
}
