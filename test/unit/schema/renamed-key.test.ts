import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Document, isMap, isScalar, visit } from "yaml";
import { z } from "zod";

import { parseYaml } from "../../../src/schema/document.js";
import { stackFile } from "../../../src/schema/stack.js";
import { writtenStack } from "../support/stacks.js";
import { thrownBy } from "../support/thrown.js";

describe("parseYaml of a stack with one key renamed", () => {
  /** Without `source`, which chooses among schemas: that it is missing is told as such. */
  const { source: _, ...fixed } = keysOf(stackFile);

  it("names exactly that line and column", () => {
    const layout = fc.record({ indent: fc.integer({ min: 2, max: 4 }), flow: fc.boolean(), comment: fc.boolean() });
    fc.assert(
      fc.property(writtenStack, layout, fc.nat(), (stack, { indent, flow, comment }, choice) => {
        const document = new Document(stack);
        const keys: { value: unknown }[] = [];
        visit(document, {
          Pair(_, { key }) {
            if (isScalar(key) && typeof key.value === "string" && key.value in fixed) keys.push(key);
          },
          Map(_, map) {
            if (flow && isMap(map) && map !== document.contents) map.flow = true;
          },
        });
        const key = keys[choice % keys.length];
        if (key === undefined) throw new Error("every stack has a fixed key");
        key.value = "renamedKey";
        const text = `${comment ? "# a comment\n\n" : ""}${document.toString({ indent, lineWidth: 0 })}`;
        const before = text.slice(0, text.indexOf("renamedKey")).split("\n");
        const at = `${before.length}:${(before.at(-1) ?? "").length + 1}`;
        const { message } = thrownBy(() => parseYaml(text, "dev.yaml", stackFile));
        const problems = message.split("\n").map((line) => line.split(/ in |;/)[0]);
        expect(problems).toContain(`dev.yaml:${at}: unknown key "renamedKey"`);
      }),
    );
  });
});

/** The names of all keys of all objects of a schema. */
function keysOf(schema: z.ZodType): Record<string, true> {
  const found: Record<string, true> = {};
  JSON.stringify(z.toJSONSchema(schema, { io: "input" }), (name, value: unknown) => {
    if (name === "properties") for (const key of Object.keys(value as object)) found[key] = true;
    return value;
  });
  return found;
}
