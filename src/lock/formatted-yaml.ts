import { parseDocument } from "yaml";
import type { Document, Tags } from "yaml";

const lineWidth = 120;

/** A YAML document that is changed and printed again: {@link printFormatted} leaves what is not changed as it is. */
export function parseFormatted(text: string): Document {
  return parseDocument(text, { version: "1.2", customTags: asFormatted });
}

/** As formatters of YAML print it, with its comments. */
export function printFormatted(document: Document): string {
  return document.toString({ lineWidth });
}

/** Whether so many letters are in a line. */
export function fitsLine(length: number): boolean {
  return length <= lineWidth;
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
