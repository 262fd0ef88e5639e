import { z } from "zod";

export const variable = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: "expected the name of an environment variable" })
  .describe("The name of an environment variable");
