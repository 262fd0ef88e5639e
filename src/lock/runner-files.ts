import { basename, join } from "node:path";

import { acceleratorTypesWith } from "../catalog/accelerator-types.js";
import { assembleRunners, type RunnerCatalogue, type RunnerDocument } from "../catalog/runner-catalogue.js";
import { hiddenTags, type HiddenRunners } from "../catalog/runner-hidden.js";
import { BerthError } from "../lib/errors.js";
import { shown } from "../lib/shown.js";
import { parseYaml } from "../schema/document.js";
import { nativeTypes } from "../schema/accelerator-type.js";
import type { DeclaredDevices, DeclaredType } from "../schema/declared-devices.js";
import { runnerFile, runnerWord, type RunnerFile } from "../schema/runner.js";
import { assertPlainFile, namesIn, readPlainFile, type CatalogueOwner } from "./catalogue-folder.js";

/**
 * The runner images that Berth knows, with a project's own accelerator types in the place of Berth's.
 *
 * @throws BerthError `file-invalid` for a file that is none of runner images, or has no name of one
 */
export function readRunners(root: string, packageRoot: string): RunnerCatalogue {
  const builtIn = filesIn(packageRoot, root).map((path) => readFile(path, root));
  const own = root === packageRoot ? [] : filesIn(root, root).map((path) => readFile(path, root));
  const replaced = new Set(own.map(({ file }) => file.acceleratorType));
  return assembleRunners([...builtIn.filter(({ file }) => !replaced.has(file.acceleratorType)), ...own]);
}

/** All accelerator types of a project. The files' names tell, so that none is read. */
export function readAcceleratorTypes(root: string, packageRoot: string): string[] {
  return acceleratorTypesWith([root, packageRoot].flatMap((owner) => filesIn(owner, root).map(typeOf)));
}

/** What files say of devices that Berth's own code does not know. Others are not read. */
export function readDeclaredDevices(root: string, packageRoot: string): DeclaredType[] {
  const native = (path: string) => nativeTypes.some((type) => type === typeOf(path));
  const own = filesIn(root, root).filter((path) => !native(path));
  const names = own.map(typeOf);
  const builtIn = filesIn(packageRoot, root).filter((path) => !native(path) && !names.includes(typeOf(path)));
  return [...builtIn, ...own].flatMap((path) => {
    const { file } = readFile(path, root);
    return file.devices === undefined ? [] : [declaredType(file, file.devices)];
  });
}

/** The project's files that stand in the place of Berth's and lack images of theirs. */
export function readHiddenRunners(root: string, packageRoot: string): HiddenRunners[] {
  if (root === packageRoot) return [];
  const shipped = new Map(filesIn(packageRoot, root).map((path) => [typeOf(path), path]));
  return filesIn(root, root).flatMap((path) => {
    const below = shipped.get(typeOf(path));
    if (below === undefined) return [];
    const [own, berths] = [readFile(path, root), readFile(below, root)];
    const tags = hiddenTags(own.file, berths.file);
    return tags.length === 0 ? [] : [{ file: own.where, shipped: berths.where, tags }];
  });
}

/** Where the images of a type stand: in the project's own file, else in Berth's. */
export function runnerPathOf(type: string, root: string, packageRoot: string): string {
  const paths = [...filesIn(root, root), ...filesIn(packageRoot, root)];
  return paths.find((path) => typeOf(path) === type) ?? join(root, "backends", "runners", `${type}.yaml`);
}

function declaredType({ acceleratorType, vendor, device }: RunnerFile, devices: DeclaredDevices): DeclaredType {
  return { ...devices, type: acceleratorType, vendor, device };
}

/** Links may be files of these names, and hidden files, such as those of editors, are none of them. */
function filesIn(folder: string, root: string): string[] {
  const owner = { folder, root };
  const runners = join(folder, "backends", "runners");
  return namesIn(runners, root)
    .filter((name) => /\.ya?ml$/i.test(name))
    .map((name) => fileOf(join(runners, name), owner));
}

function fileOf(path: string, owner: CatalogueOwner): string {
  const name = basename(path);
  if (!name.endsWith(".yaml") || !runnerWord.safeParse(typeOf(path)).success)
    throw new BerthError("file-invalid", {
      ...{ where: shown(owner.root, path), what: "it has no name of a file of runner images", got: name },
      expected: "TYPE.yaml, where TYPE is an accelerator type in small letters, such as cuda.yaml",
      hint: "rename it, or keep it in another folder",
    });
  assertPlainFile(path, owner);
  return path;
}

function typeOf(path: string): string {
  return basename(path, ".yaml");
}

/** Each file has the name of its accelerator type. */
function readFile(path: string, root: string): RunnerDocument {
  const where = shown(root, path);
  const file = parseYaml(readPlainFile(path, root), where, runnerFile);
  if (file.acceleratorType === typeOf(path)) return { file, where };
  throw new BerthError("file-invalid", {
    what: "the file has another name than its accelerator type",
    where,
    expected: `${file.acceleratorType}.yaml`,
  });
}
