import { z } from "zod";

import { backendFile } from "./backend.js";
import { benchReport } from "./bench.js";
import { bundleFile } from "./bundle.js";
import { environmentsFile } from "./environments.js";
import { evidence } from "./evidence.js";
import { lockFile } from "./lock.js";
import { ownerMark } from "./ownership.js";
import { planReport } from "./plan.js";
import { promotionRecord } from "./promotion.js";
import { runnerMatrix } from "./runner-matrix.js";
import { runnerFile } from "./runner.js";
import { stackFile } from "./stack.js";

export type DocumentName =
  | "stack"
  | "environments"
  | "backend"
  | "runner"
  | "runner-matrix"
  | "lock"
  | "plan"
  | "evidence"
  | "promotion"
  | "bundle"
  | "bench";

type Override = NonNullable<NonNullable<Parameters<typeof z.toJSONSchema>[1]>["override"]>;

/** All of a backend's file is of releases. */
const withoutOwner: Override = ({ jsonSchema }) => {
  Reflect.deleteProperty(jsonSchema, ownerMark);
};

/** JSON Schema of every document that people write or read, as they write it: before defaults. */
export function jsonSchemas(): Record<DocumentName, object> {
  const settings = { io: "input", target: "draft-2020-12" } as const;
  const convert = (schema: z.ZodType, override?: Override) =>
    z.toJSONSchema(schema, override === undefined ? settings : { ...settings, override });
  return {
    stack: convert(stackFile),
    environments: convert(environmentsFile),
    backend: convert(backendFile, withoutOwner),
    runner: convert(runnerFile, withoutOwner),
    "runner-matrix": convert(runnerMatrix, withoutOwner),
    lock: convert(lockFile),
    plan: convert(planReport),
    promotion: convert(promotionRecord),
    evidence: convert(evidence),
    bundle: convert(bundleFile),
    bench: convert(benchReport),
  };
}
