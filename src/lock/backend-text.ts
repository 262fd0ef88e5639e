import { Document, isMap, isScalar, Scalar, type Pair } from "yaml";

import type { BackendFileInput } from "../catalog/reference-version.js";
import type { Json } from "../lib/canonical.js";
import { printable } from "../lib/printable.js";

const widestLine = 120;

/**
 * A backend file's text, with comments at its head. Versions stand in quotes, as everywhere.
 *
 * @param written what the file is to say, in Berth's own format
 */
export function backendText(written: Json | BackendFileInput, comments: readonly string[], name?: string): string {
  const document = new Document(written);
  if (name !== undefined) document.set("name", name);
  quote(document.get("defaultVersion", true));
  const versions = document.get("versions");
  if (isMap(versions)) versions.items.forEach(({ key }: Pair) => quote(key));
  document.commentBefore = commentText(comments);
  return document.toString({ lineWidth: widestLine });
}

/** Comments of a YAML document: each text on lines of its own. Whatever a text holds, it stays a comment. */
export function commentText(comments: readonly string[]): string {
  return comments
    .flatMap((comment) => comment.split(/\r\n|[\n\r\u0085\u2028\u2029]/))
    .map((line) => ` ${printable(line)}`)
    .join("\n");
}

function quote(node: unknown): void {
  if (isScalar(node)) node.type = Scalar.QUOTE_DOUBLE;
}
