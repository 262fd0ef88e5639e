import { z } from "zod";

import { backendFile } from "./backend.js";
import { lockFile } from "./lock.js";
import { planReport } from "./plan.js";
import { stackFile } from "./stack.js";

export type DocumentName = "stack" | "backend" | "lock" | "plan";

/** JSON Schema of every document that people write or read, as they write it: before defaults. */
export function jsonSchemas(): Record<DocumentName, object> {
  const convert = (schema: z.ZodType) => z.toJSONSchema(schema, { io: "input", target: "draft-2020-12" });
  return {
    stack: convert(stackFile),
    backend: convert(backendFile),
    lock: convert(lockFile),
    plan: convert(planReport),
  };
}
