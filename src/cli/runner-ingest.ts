import { existsSync } from "node:fs";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { dockerfileSkeleton, matrixSkeleton, type SkeletonSubject } from "../catalog/dockerfile-skeleton.js";
import {
  assertNewBackend,
  assertNewService,
  assertVersions,
  backendFileText,
  shortVersion,
  skeletonSubject,
  type NewBackend,
} from "../catalog/runner-ingest.js";
import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import { shown } from "../lib/shown.js";
import { writtenPath } from "../lock/catalogue-folder.js";
import { readRunners, runnerPathOf } from "../lock/runner-files.js";
import { addedImageText, addedRulesText } from "../lock/runner-text.js";
import { writeWhole } from "../lock/whole-file.js";
import { parseYaml } from "../schema/document.js";
import { runnerFile, type RunnerFile } from "../schema/runner.js";
import { packageRoot, type Workplace } from "./workplace.js";

interface ServiceOptions {
  serviceVersion: string;
  serviceName?: string;
  runtimeVersion?: string;
  /** Of an image that is there already. */
  platform?: string[];
}

/** Options as commander gives them. */
export interface IngestBackendOptions extends ServiceOptions {
  service: string;
  name?: string;
  vendor?: string;
  device?: string;
  runtimeVersion: string;
}

export interface IngestServiceOptions extends ServiceOptions {
  backend: string;
}

/** Writes what a new accelerator type begins with: its file, a Dockerfile and a matrix. */
export async function ingestBackend(workplace: Workplace, type: string, options: IngestBackendOptions): Promise<void> {
  const { root } = workplace;
  const catalogue = readRunners(root, packageRoot);
  const { service, serviceVersion, runtimeVersion, vendor = type, name = titled(type), platform: platforms } = options;
  const { device = `${name} device`, serviceName = lookUp(catalogue.services, service) ?? titled(service) } = options;
  const words = { acceleratorType: type, name, vendor, device };
  const backend: NewBackend = { ...words, runtimeVersion, service, serviceName, serviceVersion, platforms };
  assertNewBackend(catalogue, backend);
  assertVersions(serviceVersion, runtimeVersion);
  const file = join(root, "backends", "runners", `${type}.yaml`);
  const text = backendFileText(backend);
  parseYaml(text, shown(root, file), runnerFile);
  const subject = skeletonSubject(backend, undefined);
  await writeAll(workplace, [
    { path: file, text },
    { path: join(folderOf(root, type), "Dockerfile"), text: dockerfileSkeleton(subject) },
    { path: join(folderOf(root, type), "matrix.yaml"), text: matrixSkeleton(subject) },
  ]);
  tellSteps(workplace, file, `${folderOf(root, type)}/Dockerfile`, type);
}

/** Adds a service to an accelerator type: to its file, with a Dockerfile of its own and a rule of the matrix. */
export async function ingestService(
  workplace: Workplace,
  service: string,
  options: IngestServiceOptions,
): Promise<void> {
  const { root } = workplace;
  const { backend: type, serviceVersion, platform: platforms } = options;
  const catalogue = readRunners(root, packageRoot);
  const { serviceName = lookUp(catalogue.services, service) ?? titled(service) } = options;
  assertNewService(catalogue, { acceleratorType: type, service, serviceName });
  const known = lookUp(catalogue.files, type);
  if (known === undefined) throw new Error(`the catalogue lost ${type}`);
  const { runtimeVersion, variant } = runtimeOf(known, options.runtimeVersion);
  assertVersions(serviceVersion, runtimeVersion);
  const path = join(root, "backends", "runners", `${type}.yaml`);
  const before = await readFile(runnerPathOf(type, root, packageRoot), "utf8");
  const image = { acceleratorVersion: shortVersion(runtimeVersion), variant, service, serviceVersion, runtimeVersion };
  const text = addedImageText(before, shown(root, path), { ...image, platforms, serviceName });
  const folder = folderOf(root, type);
  const dockerfile = join(folder, `Dockerfile.${service}`);
  if (existsSync(dockerfile)) throw alreadyThere(shown(root, dockerfile));
  const words = { acceleratorType: type, name: known.name, service, serviceName, serviceVersion, runtimeVersion };
  const subject = skeletonSubject(words, variant);
  // A project's folder stands in the place of Berth's, which is to be built further on.
  const builtIn = folderOf(packageRoot, type);
  const isCopied = !existsSync(folder) && existsSync(builtIn);
  const matrix = join(folder, "matrix.yaml");
  const rules = await matrixText(isCopied ? join(builtIn, "matrix.yaml") : matrix, shown(root, matrix), subject);
  if (isCopied) await cp(builtIn, folder, { recursive: true });
  await writeAll(workplace, [
    { path, text, replaces: true },
    { path: dockerfile, text: dockerfileSkeleton(subject) },
    { path: matrix, text: rules, replaces: true },
  ]);
  tellSteps(workplace, path, dockerfile, type);
}

/** The newest runtime of the type, or the asked one, with the first variant that it has. */
function runtimeOf({ versions, variants, name }: RunnerFile, asked: string | undefined) {
  const images = versions.flatMap(({ images, variant }) =>
    Object.values(images).flatMap((entries) => entries.map(({ runtimeVersion }) => ({ runtimeVersion, variant }))),
  );
  const found = images.find(
    ({ runtimeVersion }) => runtimeVersion !== undefined && (asked ?? runtimeVersion) === runtimeVersion,
  );
  const runtimeVersion = asked ?? found?.runtimeVersion;
  if (runtimeVersion === undefined)
    throw new BerthError("usage", {
      what: `no image of ${name} tells a version of its runtime`,
      hint: "say it by --runtime-version",
    });
  return { runtimeVersion, variant: found?.variant ?? Object.keys(variants ?? {})[0] };
}

async function matrixText(path: string, where: string, subject: SkeletonSubject): Promise<string> {
  const skeleton = matrixSkeleton(subject);
  return existsSync(path) ? addedRulesText(await readFile(path, "utf8"), where, skeleton) : skeleton;
}

interface Written {
  readonly path: string;
  readonly text: string;
  /** What stands there is in it. */
  readonly replaces?: true;
}

/** All, or none where one is there already. */
async function writeAll(workplace: Workplace, files: readonly Written[]): Promise<void> {
  const { root } = workplace;
  const there = files.filter(({ path, replaces }) => replaces === undefined && existsSync(path));
  if (there.length > 0) throw alreadyThere(there.map(({ path }) => shown(root, path)).join(", "));
  for (const { path, text, replaces } of files) {
    await mkdir(dirname(path), { recursive: true });
    if (replaces === undefined) await writeFile(path, text, { flag: "wx" });
    else await writeWhole(writtenPath(path), text);
    workplace.print(shown(root, path));
  }
}

function tellSteps(workplace: Workplace, file: string, dockerfile: string, type: string): void {
  const { root } = workplace;
  const note = (line: string) => {
    workplace.note(line);
  };
  note("to do:");
  note(`1. what is marked "To do" in ${shown(root, file)}, and "TODO" in ${shown(root, dockerfile)}`);
  note("2. berth runner lint: whether the Dockerfile follows the convention");
  note(`3. berth runner plan --accelerator ${type}: what is built, and under which names`);
  note("4. berth runner build, test, and berth runner release, which writes into the file that the image is there");
  note(`5. berth runner list --accelerator ${type}, and berth runner resolve for a host that has such devices`);
}

function folderOf(root: string, type: string): string {
  return join(root, "backends", "runners", type);
}

function titled(word: string): string {
  return `${word.charAt(0).toUpperCase()}${word.slice(1)}`;
}

function alreadyThere(what: string): BerthError {
  return new BerthError("usage", { what: `there is already ${what}`, hint: "remove it first" });
}
