import { jsonSchemas } from "../schema/json-schema.js";
import { BerthError } from "../lib/errors.js";
import type { Workplace } from "./workplace.js";

/** Prints the JSON Schema of a document, so that editors complete it. */
export function printSchema(workplace: Workplace, name: string): void {
  const schema = Object.entries(jsonSchemas()).find(([known]) => known === name)?.[1];
  if (schema === undefined) {
    throw new BerthError("usage", {
      what: "no such document",
      got: name,
      expected: Object.keys(jsonSchemas()).join(" or "),
    });
  }
  workplace.print(JSON.stringify(schema, undefined, 2));
}
