import type { z } from "zod";

import { containsUnknown } from "../resources/difference.js";
import type { CommonInputs, CommonObserved, ResourceKind } from "../resources/kind.js";
import { withoutProvider, type Properties } from "./properties.js";

export interface CheckAnswer {
  readonly inputs: Properties;
  readonly failures: readonly { property: string; reason: string }[];
}

/**
 * Parses and completes inputs. Values that are not known yet, as in previews, are taken on trust wherever they are.
 * Reads nothing but its arguments.
 */
export function checkInputs<Inputs extends CommonInputs, Observed extends CommonObserved>(
  kind: ResourceKind<Inputs, Observed>,
  olds: Properties,
  news: Properties,
): CheckAnswer {
  const raw = withoutProvider(news);
  const parsed = kind.inputs.safeParse(raw);
  const failures = parsed.success ? [] : parsed.error.issues.flatMap((issue) => toFailures(issue, raw));
  if (failures.length > 0) return { inputs: raw, failures };
  const inputs: Partial<Inputs> = parsed.success ? parsed.data : (raw as Partial<Inputs>);
  const before = kind.inputs.safeParse(withoutProvider(olds));
  const derived = kind.derive?.(before.success ? before.data : undefined, inputs) ?? inputs;
  return { inputs: Object.assign({}, derived), failures: [] };
}

/** Whether what a schema complained of is not known yet, or holds something that is not, or lies in such a value. */
function isUnknownAt(value: unknown, path: readonly PropertyKey[]): boolean {
  const [key, ...rest] = path;
  if (key === undefined || typeof value !== "object" || value === null) return containsUnknown(value);
  return isUnknownAt((value as Partial<Record<PropertyKey, unknown>>)[key], rest);
}

/** A property that there is not is wrong whatever its value, and whatever is unknown beside it. */
function toFailures(issue: z.core.$ZodIssue, raw: Properties): CheckAnswer["failures"] {
  const { path, message } = issue;
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => ({ property: dotted([...path, key]), reason: `Unrecognized key: "${key}"` }));
  return isUnknownAt(raw, path) ? [] : [{ property: dotted(path), reason: message }];
}

function dotted(path: readonly PropertyKey[]): string {
  return path.map(String).join(".");
}
