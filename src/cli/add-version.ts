import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import type { Catalogue } from "../catalog/catalogue.js";
import { baseEnvironment } from "../host/environment.js";
import { LocalHost } from "../host/local.js";
import { createRegistryLogins } from "../host/registry-login.js";
import { createContent } from "../install/content.js";
import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import { createPinEdges, type PinEdges } from "../lock/pin-edges.js";
import { readCatalogue } from "../lock/project.js";
import type { BackendVersionEntry } from "../schema/backend.js";
import { version as versionName } from "../schema/scalars.js";
import { sameVersion } from "../schema/version-constraint.js";
import { addVersionText } from "./backend-text.js";
import { pinVersion, type PinnedMethod } from "./pin-version.js";
import { packageRoot, type Workplace } from "./workplace.js";

export interface AddVersionOptions {
  /** The one method to write; by default all that the version it is like has. */
  method?: PinnedMethod;
  /** The version that it is like; by default the backend's default version, or itself where the catalogue has it. */
  like?: string;
}

/**
 * Writes a version of a backend into the project's own backend file, with hashes and digests filled in. What it does
 * not learn from the package index, the release or the registry is as in the version that it is like, with the new
 * version in the place of the old one.
 *
 * @throws BerthError `usage`, `backend-unknown`, or what locking and downloading throw; nothing is written then
 */
export async function addVersion(
  workplace: Workplace,
  name: string,
  version: string,
  options: AddVersionOptions,
  edges?: PinEdges,
): Promise<void> {
  const parsed = versionName.safeParse(version);
  if (!parsed.success) {
    throw new BerthError("usage", { what: "this is no version", got: version, expected: messageOfFirst(parsed.error) });
  }
  const { root, environment } = workplace;
  const host = new LocalHost("this machine", baseEnvironment(environment));
  const model = findModel(readCatalogue(root, packageRoot), name, version, options);
  const path = overlayPath(root, name);
  const shownPath = `backends/${path.slice(dirname(path).length + 1)}`;
  const text = existsSync(path) ? await readFile(path, "utf8") : undefined;
  // Refused before anything is fetched.
  if (text !== undefined) addVersionText(text, shownPath, name, version, { install: {} });

  const { entry, requirements, notes } = await pinVersion(
    { name, version, ...model, method: options.method },
    edges ?? realEdges(workplace, host),
    (line) => workplace.note(`   ${line} ...`),
  );
  const added = addVersionText(text, shownPath, name, version, entry);
  if (requirements !== undefined) await host.writeFile(join(root, "backends", requirements.file), requirements.text);
  await host.writeFile(path, added);
  for (const note of notes) workplace.note(`   ${note}`);
  workplace.print(`${shownPath}: ${name} ${version} added, like ${model.like}`);
}

function realEdges({ environment, root }: Workplace, host: LocalHost): PinEdges {
  return createPinEdges({
    host,
    folder: join(root, ".berth", "python"),
    content: createContent(packageRoot, root),
    defaultIndex: environment.PIP_INDEX_URL,
    findLogin: createRegistryLogins(environment, host),
  });
}

/** The project's file of a backend, or the one to write. */
function overlayPath(root: string, name: string): string {
  const paths = [`${name}.yaml`, `${name}.yml`].map((file) => join(root, "backends", file));
  return paths.find((path) => existsSync(path)) ?? join(root, "backends", `${name}.yaml`);
}

/**
 * The version that the new one is like: the one named, itself, or the first that is installed the wanted way and named
 * in the same manner (`b11429` is, `2026.10.11549` is not), the default before the others.
 */
function findModel(
  catalogue: Catalogue,
  name: string,
  version: string,
  { like, method }: AddVersionOptions,
): { like: string; model: BackendVersionEntry } {
  const backend = lookUp(catalogue.backends, name);
  if (backend === undefined) {
    throw new BerthError("backend-unknown", {
      what: "no backend has this name",
      got: name,
      expected: Object.keys(catalogue.backends).sort().join(", "),
      hint: "correct the name, or write a file backends/NAME.yaml",
    });
  }
  const { versions, defaultVersion } = backend;
  const spelled = (wanted: string) => Object.keys(versions).filter((one) => sameVersion(one, wanted));
  const names = [...(defaultVersion === undefined ? [] : spelled(defaultVersion)), ...Object.keys(versions)];
  const fitting = names.filter((one) => method === undefined || versions[one]?.install[method] !== undefined);
  const [itself] = spelled(version);
  const chosen = like ?? itself ?? fitting.find((one) => shapeOf(one) === shapeOf(version)) ?? fitting[0] ?? names[0];
  const model = chosen === undefined ? undefined : lookUp(versions, chosen);
  if (chosen !== undefined && model !== undefined) return { like: chosen, model };
  throw new BerthError("backend-unknown", {
    what: `the backend ${name} has no such version`,
    ...(chosen === undefined ? {} : { got: chosen }),
    expected: Object.keys(versions).join(", "),
    hint: "name one of these with --like",
  });
}

/** `b#` of `b11429` */
function shapeOf(version: string): string {
  return version.replace(/\d+/g, "#");
}

function messageOfFirst(error: { issues: readonly { message: string }[] }): string {
  return (error.issues[0]?.message ?? "a version").replace(/^expected /, "");
}
