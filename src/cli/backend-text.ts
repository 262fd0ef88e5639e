import { isMap, isPair, isScalar, parseDocument, stringify, type Document } from "yaml";

import type { Json } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { isReferenceFormat } from "../lock/backend-document.js";
import { backendOverlay } from "../schema/backend.js";
import { parseYaml } from "../schema/document.js";
import { sameVersion } from "../schema/version-constraint.js";

/**
 * The text of a backend file with one more version, last of all. Everything else stays as it was written, to the
 * letter. Without a text it is a new file that says nothing but this version.
 *
 * @param file what the file is called, for errors
 * @throws BerthError `usage` if the version is there already, `file-invalid` if the text is no backend file
 */
export function addVersionText(
  text: string | undefined,
  file: string,
  name: string,
  version: string,
  entry: Readonly<Record<string, Json>>,
): string {
  const before = text ?? newFile(name);
  if (text !== undefined) refuse(text, file, name, version);
  const document = parseDocument(before, { version: "1.2" });
  const added = insert(before, document, version, entry);
  parseYaml(added, file, backendOverlay);
  return added;
}

function newFile(name: string): string {
  return `# Versions of ${name} besides those that come with Berth.\nschemaVersion: 1\nname: ${name}\nversions:\n`;
}

function refuse(text: string, file: string, name: string, version: string): void {
  if (isReferenceFormat(text, file)) {
    throw new BerthError("usage", {
      where: file,
      what: "the file is in GPUStack's format, to which no version is added",
      hint: `import it first: berth backend import ${file} --force`,
    });
  }
  const backend = parseYaml(text, file, backendOverlay);
  if (backend.name !== name) {
    throw new BerthError("file-invalid", { where: file, what: "the file is of another backend", got: backend.name });
  }
  if (!Object.keys(backend.versions ?? {}).some((one) => sameVersion(one, version))) return;
  throw new BerthError("usage", {
    where: file,
    what: `the backend ${name} has this version already`,
    got: version,
    hint: "change it in the file, or take it out first",
  });
}

/** Behind the last line of the last version, indented as the others are. */
function insert(text: string, document: Document, version: string, entry: Readonly<Record<string, Json>>): string {
  const versions = isMap(document.contents)
    ? document.contents.items.find((pair) => isScalar(pair.key) && pair.key.value === "versions")
    : undefined;
  const items = isMap(versions?.value) && versions.value.flow !== true ? versions.value.items : undefined;
  if (versions === undefined || (isMap(versions.value) && items === undefined)) {
    // Written as `{ ... }`: the document is written anew.
    document.setIn(["versions", version], document.createNode(entry));
    return document.toString({ lineWidth: 0 });
  }
  const first = items?.[0];
  const indent = isPair(first) && isScalar(first.key) ? columnOf(text, first.key.range?.[0] ?? 0) : 2;
  const snippet = stringify({ [version]: entry }, { lineWidth: 0, indent: Math.max(indent, 2) });
  const lines = snippet
    .trimEnd()
    .split("\n")
    .map((line) => `${" ".repeat(indent)}${line}`);
  const end = endOf(text, isMap(versions.value) ? (versions.value.range?.[1] ?? text.length) : text.length);
  const head = text.slice(0, end).replace(/\s+$/, "");
  return `${head}\n${lines.join("\n")}\n${text.slice(end).replace(/^\r?\n/, "")}`;
}

function columnOf(text: string, offset: number): number {
  return offset - (text.lastIndexOf("\n", offset - 1) + 1);
}

/** The end of the line in which an offset is, so that a comment behind the last value stays with it. */
function endOf(text: string, offset: number): number {
  // A block's range ends at the beginning of the line after it.
  const last = Math.max(0, text.slice(0, offset).trimEnd().length);
  const newline = text.indexOf("\n", last);
  return newline < 0 ? text.length : newline;
}
