import { nearestNames } from "../catalog/nearest.js";
import type { RunnerCatalogue, RunnerImage } from "../catalog/runner-catalogue.js";
import { listRunners, type RunnerFilter } from "../catalog/runner-list.js";
import { findNear, type AskedVersion } from "../catalog/runner-near.js";
import { parseRunnerName } from "../catalog/runner-name.js";
import { BerthError } from "../lib/errors.js";
import { readRunners } from "../lock/runner-files.js";
import { parseConstraint, type Constraint } from "../schema/version-constraint.js";
import { runnerRepository } from "../schema/runner.js";
import { yamlLibrary } from "../schema/yaml-library.js";
import type { runnerFormats } from "./arguments.js";
import { plainTable } from "./table.js";
import { packageRoot, type Workplace } from "./workplace.js";

/** Options as commander gives them. */
export interface RunnerListOptions extends ImagePlace {
  accelerator?: string;
  acceleratorVersion?: string;
  variant?: string;
  service?: string;
  serviceVersion?: string;
  platform?: string;
  deprecated?: boolean;
  format: (typeof runnerFormats)[number];
}

/** What is printed of an image for programs. */
export interface RunnerRow {
  readonly name: string;
  readonly acceleratorType: string;
  readonly acceleratorVersion: string;
  readonly runtimeVersion?: string | undefined;
  readonly variant?: string | undefined;
  readonly service: string;
  readonly serviceVersion: string;
  readonly platforms: readonly string[];
  readonly rc: boolean;
  readonly deprecated: boolean;
  readonly polished: boolean;
  readonly digest?: string | undefined;
}

/** Lists runner images. Nothing found is an empty list, and no error. */
export function printRunners(workplace: Workplace, options: RunnerListOptions): void {
  const catalogue = readRunners(workplace.root, packageRoot);
  const { accelerator: acceleratorType, variant, service, platform, deprecated } = options;
  assertKnown(catalogue, options);
  assertPlace(catalogue, options);
  const filter: RunnerFilter = {
    ...{ acceleratorType, variant, service, platform, deprecated },
    acceleratorVersion: constraintOf(options.acceleratorVersion, "--accelerator-version"),
    serviceVersion: constraintOf(options.serviceVersion, "--service-version"),
  };
  const images = listRunners(catalogue.images, filter);
  const rows = images.map((image) => rowOf(image, options));
  const text = formatRunners(rows, options.format);
  if (text !== "") workplace.print(text);
  if (rows.length === 0)
    workplace.note(["no image fits", ...findNear(catalogue.images, filter, longerVersions(options))].join("; "));
}

/** A version is exact unless it says otherwise, which is easily forgotten. */
function longerVersions(options: RunnerListOptions): AskedVersion[] {
  return (["acceleratorVersion", "serviceVersion"] as const).flatMap((field) => {
    const text = options[field];
    if (text === undefined || !/^\d+(?:\.\d+)*$/.test(text)) return [];
    return [{ field, prefix: `${text}.x`, constraint: parseConstraint(`${text}.x`, text) }];
  });
}

/** Where images are had from. */
export interface ImagePlace {
  registry?: string;
  namespace?: string;
}

/** @throws BerthError `usage` when the place makes no name of an image */
export function assertPlace({ vocabulary, images }: RunnerCatalogue, place: ImagePlace): void {
  const [image] = images;
  if (image === undefined) return;
  const reading = parseRunnerName(imageName(image, place), vocabulary);
  if (reading.kind === "runner") return;
  throw new BerthError("usage", {
    what: "images cannot be had from there",
    got: reading.reason,
    expected: "a registry such as registry.example.net:5000, and a namespace such as team",
  });
}

/** Where the catalogue has it, unless another place is named. */
export function imageName({ tag, repository }: RunnerImage, { registry, namespace }: ImagePlace): string {
  if (registry === undefined && namespace === undefined) return `${repository}:${tag}`;
  const [defaultNamespace = ""] = runnerRepository.split("/");
  return [registry, namespace ?? defaultNamespace, `runner:${tag}`].filter((part) => part !== undefined).join("/");
}

export function constraintOf(text: string | undefined, option: string): Constraint | undefined {
  return text === undefined ? undefined : parseConstraint(text, option);
}

/** What no file has cannot be meant; the catalogue's files alone say what there is. */
export function assertKnown(
  { vocabulary: { accelerators, services } }: RunnerCatalogue,
  { accelerator, service, variant }: { accelerator?: string; service?: string; variant?: string },
): void {
  const refuse = (what: string, got: string | undefined, known: readonly string[]) => {
    if (got === undefined || known.includes(got)) return;
    const near = nearestNames(got, known);
    const hint = near.length === 0 ? {} : { hint: `did you mean ${near.join(" or ")}?` };
    throw new BerthError("usage", { what: `there is no such ${what}`, got, expected: known.join(", "), ...hint });
  };
  refuse("accelerator type with runner images", accelerator, Object.keys(accelerators));
  refuse("service", service, services);
  refuse("variant", variant, [...new Set(Object.values(accelerators).flat())]);
}

function rowOf(image: RunnerImage, place: ImagePlace): RunnerRow {
  const { acceleratorType, acceleratorVersion, runtimeVersion, variant, service, serviceVersion } = image;
  const { platforms, rc, deprecated, polished, digest } = image;
  return {
    name: imageName(image, place),
    ...{ acceleratorType, acceleratorVersion, runtimeVersion, variant, service, serviceVersion },
    ...{ platforms, rc, deprecated, polished, digest },
  };
}

function formatRunners(rows: readonly RunnerRow[], format: RunnerListOptions["format"]): string {
  switch (format) {
    case "json":
      return JSON.stringify(rows, undefined, 2);
    case "yaml":
      return yamlLibrary().stringify(rows).trimEnd();
    case "names":
      return rows.map(({ name }) => name).join("\n");
    case "table":
      return rows.length === 0 ? "" : plainTable(["IMAGE", "RUNTIME", "PLATFORMS", "REMARKS"], rows.map(cellsOf));
  }
}

function cellsOf({ name, runtimeVersion, platforms, rc, deprecated, polished }: RunnerRow): string[] {
  const remarks = [...(rc ? ["rc"] : []), ...(deprecated ? ["deprecated"] : []), ...(polished ? ["polished"] : [])];
  return [name, runtimeVersion ?? "-", platforms.join(" "), remarks.join(" ")];
}
