import { z } from "zod";

const value = z.string({
  error: "expected a string; put numbers and booleans in quotes, or say { notIn: [...] } or { exists: true }",
});
const values = z.array(value).min(1, { error: "expected at least one value" });

/** What a label must be. */
const requirement = z.union(
  [
    value.describe("The label has this value"),
    values.describe("The label has one of these values"),
    z
      .strictObject({ notIn: values.describe("The label is missing, or has none of these values") })
      .describe("Which values it must not have"),
    z.strictObject({ exists: z.boolean().describe("Whether the host has the label") }).describe("Whether it is there"),
  ],
  { error: "expected a value, a list of values, { notIn: [...] } or { exists: true or false }" },
);

/** Labels that hosts are chosen by. All of them must fit. */
export const hostSelector = z.record(z.string(), requirement);

export type Requirement = z.output<typeof requirement>;
export type HostSelector = z.output<typeof hostSelector>;
