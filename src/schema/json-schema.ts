import { z } from "zod";

import { backendFile } from "./backend.js";
import { environmentsFile } from "./environments.js";
import { lockFile } from "./lock.js";
import { ownerMark } from "./ownership.js";
import { planReport } from "./plan.js";
import { stackFile } from "./stack.js";

export type DocumentName = "stack" | "environments" | "backend" | "lock" | "plan";

/** JSON Schema of every document that people write or read, as they write it: before defaults. */
export function jsonSchemas(): Record<DocumentName, object> {
  const settings = { io: "input", target: "draft-2020-12" } as const;
  const convert = (schema: z.ZodType) => z.toJSONSchema(schema, settings);
  return {
    stack: convert(stackFile),
    environments: convert(environmentsFile),
    // All of a backend's file is of releases.
    backend: z.toJSONSchema(backendFile, {
      ...settings,
      override: ({ jsonSchema }) => void delete jsonSchema[ownerMark],
    }),
    lock: convert(lockFile),
    plan: convert(planReport),
  };
}
