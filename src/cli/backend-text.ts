import type { Json } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { isReferenceFormat } from "../lock/backend-document.js";
import { addPair, mapUnder, openEdit, rootOf } from "../lock/yaml-edit.js";
import { printEdit } from "../lock/yaml-splices.js";
import { backendOverlay } from "../schema/backend.js";
import { parseYaml } from "../schema/document.js";
import { sameVersion } from "../schema/version-constraint.js";

/**
 * The text of a backend file with one more version, last of all. Everything else stays as it was written, to the
 * letter. Without a text it is a new file that says nothing but this version.
 *
 * @param file what the file is called, for errors
 * @throws BerthError `usage` if the version is there already, `file-invalid` if the text is no backend file, or
 * cannot be changed in place
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
  const edit = openEdit(before, file);
  addPair(edit, mapUnder(edit, rootOf(edit), "versions"), version, edit.document.createNode(entry));
  const added = printEdit(edit);
  parseYaml(added, file, backendOverlay);
  return added;
}

function newFile(name: string): string {
  return `# Versions of ${name} besides those that come with Berth.\nschemaVersion: 1\nname: ${name}\nversions: {}\n`;
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
