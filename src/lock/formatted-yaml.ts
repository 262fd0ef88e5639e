import { Document, parseDocument } from "yaml";
import type { Node, Tags } from "yaml";

const widestLine = 120;

/** A YAML document that is changed, with the places of all its parts. */
export function parseFormatted(text: string): Document {
  return parseDocument(text, { version: "1.2", keepSourceTokens: true });
}

/** The lines of a part of a document as formatters of YAML print it, with its comments. No line is folded. */
export function printFormatted(node: Node): string[] {
  const document = new Document(undefined, { version: "1.2", customTags: asFormatted });
  document.contents = node;
  return document.toString({ lineWidth: 0 }).replace(/\n$/, "").split("\n");
}

/** Whether so many letters are in a line. */
export function fitsLine(length: number): boolean {
  return length <= widestLine;
}

/** Blanks stand inside the brackets of maps, and not inside those of lists. */
function asFormatted(tags: Tags): Tags {
  return tags.map((tag) => {
    if (typeof tag === "string" || tag.collection === undefined) return tag;
    const flowCollectionPadding = tag.collection === "map" ? " " : "";
    // The library asks tags of collections too how their values are printed.
    const stringify = (item: Printed, context: object, ...rest: unknown[]) =>
      item.toString({ ...context, flowCollectionPadding }, ...rest);
    return Object.assign({ ...tag }, { stringify });
  });
}

interface Printed {
  toString(context: object, ...rest: unknown[]): string;
}
