import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";

import { parseDocument } from "yaml";

import { findSecretPlaces, withoutSecrets, type SecretPlace } from "../catalog/backend-secrets.js";
import { namedFiles } from "../catalog/named-file.js";
import { BerthError, systemCode } from "../lib/errors.js";
import { printable } from "../lib/printable.js";
import { shown } from "../lib/shown.js";
import { readBackendDocument, type BackendText } from "../lock/backend-document.js";
import { backendText, commentText } from "../lock/backend-text.js";
import { readAcceleratorTypes } from "../lock/runner-files.js";
import type { BackendOverlay } from "../schema/backend.js";
import { largestDocumentBytes } from "../schema/yaml-text.js";
import { name as nameSchema } from "../schema/scalars.js";
import { readBackends, readOver, readText } from "./backend-files.js";
import { fetchText, isAddress, shownAddress } from "./remote-text.js";
import { packageRoot, type Workplace } from "./workplace.js";

const downloadSeconds = 30;

export interface ImportOptions {
  /** Another name for the backend. */
  name?: string;
  /** Replace a file that is there. */
  force?: boolean;
}

/** Writes `backends/NAME.yaml`, in Berth's own format, from a backend file in either format. */
export async function importBackend(workplace: Workplace, from: string, options: ImportOptions): Promise<void> {
  const { root } = workplace;
  const types = readAcceleratorTypes(root, packageRoot);
  const remote = isAddress(from);
  const limits = { largestBytes: largestDocumentBytes, timeoutSeconds: downloadSeconds };
  const text = remote ? await fetchText(from, limits) : readText(resolve(from), from, largestDocumentBytes);
  const origin = remote ? shownAddress(from) : basename(from);
  const document = readBackendDocument(text, remote ? origin : from, types);
  const name = options.name === undefined ? document.value.name : checkName(options.name);
  const path = join(root, "backends", `${name}.yaml`);
  const secrets = findSecretPlaces(document.written);
  const imported = importedText(document, text, secrets, name, origin);
  // A file that is no backend with those below it would make the whole catalogue unreadable.
  readOver(root, path, readBackendDocument(imported, shown(root, path), types));
  await writeNew([{ path, text: imported }], root, options.force === true);

  for (const note of document.notes) workplace.note(printable(note));
  for (const secret of secrets) workplace.note(`note: ${secret.text}`);
  for (const note of notesOf(document.value, name, dirname(path))) workplace.note(note);
  const versions = Object.keys(document.value.versions ?? {});
  workplace.print(
    `${shown(root, path)}: ${name}, ${versions.length === 1 ? "version" : "versions"} ${versions.join(", ")}`,
  );
}

function checkName(given: string): string {
  const parsed = nameSchema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new BerthError("usage", {
    what: "this is no name of a backend",
    got: given,
    expected: nameSchema.description ?? "",
  });
}

/** Berth's own format stays as it is written, but for its name and its secrets. */
function importedText(
  document: BackendText,
  text: string,
  secrets: readonly SecretPlace[],
  name: string,
  origin: string,
): string {
  const head = `Imported by \`berth backend import\` from ${origin}`;
  const told = secrets.map((secret) => `- ${secret.text}`);
  const written = withoutSecrets(document.written, secrets);
  if (document.format === "reference") {
    const remarks = document.remarks.map((remark) => `- ${remark.text}`);
    return backendText(written, [`${head}, which is in GPUStack's format.`, ...remarks, ...told], name);
  }
  // A comment may hold one too, and an alias may write one twice.
  if (secrets.length > 0) return backendText(written, [`${head}, without its comments.`, ...told], name);
  const own = parseDocument(text);
  own.set("name", name);
  own.commentBefore = [commentText([`${head}.`]), own.commentBefore].filter(Boolean).join("\n");
  return own.toString({ lineWidth: 0 });
}

/** What whoever imports a backend must know of it in this project. */
export function notesOf(backend: BackendOverlay, name: string, folder: string): string[] {
  const files = Object.values(backend.versions ?? {}).flatMap((version) => namedFiles(version).map(({ file }) => file));
  const missing = [...new Set(files)]
    .filter((file) => !existsSync(join(folder, file)))
    .map((file) => `note: copy ${file} to backends/${file} too`);
  const known = readBackends(packageRoot, packageRoot).backends;
  const hides = Object.hasOwn(known, name) ? [`note: Berth has a backend ${name} too; this file lies over it`] : [];
  return [...hides, ...missing];
}

export interface NewFile {
  readonly path: string;
  readonly text: string;
}

/** Writes files, all or none of which are there before: nothing is written when one would be replaced without `force`. */
export async function writeNew(files: readonly NewFile[], root: string, force: boolean): Promise<void> {
  const present = files.filter(({ path }) => existsSync(path));
  const [first] = present;
  if (first !== undefined && !force) throw alreadyThere(present, root);
  for (const { path, text } of files) {
    await mkdir(dirname(path), { recursive: true });
    try {
      await writeFile(path, text, { flag: force ? "w" : "wx" });
    } catch (error) {
      throw systemCode(error) === "EEXIST" ? alreadyThere([{ path, text }], root) : error;
    }
  }
}

function alreadyThere(files: readonly NewFile[], root: string): BerthError {
  return new BerthError("usage", {
    what: `there is already ${files.map(({ path }) => shown(root, path)).join(", ")}`,
    hint: "remove it, or replace it with --force",
  });
}
