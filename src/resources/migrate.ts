import { z } from "zod";

import { BerthError } from "../lib/errors.js";
import type { CommonInputs, CommonObserved, ResourceKind } from "./kind.js";

/** Version of the outputs that this version of Berth writes. */
export const outputVersion = 1;

type Properties = Readonly<Record<string, unknown>>;

/** From the outputs of one version to those of the next, by resource kind. Pure; tested with recorded states. */
const migrations: Readonly<Record<number, Readonly<Record<string, (old: Properties) => Properties>>>> = {};

/** Outputs of any earlier version as this one has them. */
export function migrate(kind: string, outputs: Properties): Properties {
  const found = outputs.schemaVersion;
  if (typeof found !== "number" || !Number.isInteger(found) || found < 1 || found > outputVersion) {
    throw new BerthError("lock-incompatible", {
      where: `${kind} ${String(outputs.name)}`,
      what: "the state was written neither by this version of Berth nor by an earlier one",
      got: `schemaVersion ${String(found)}`,
      expected: `at most ${outputVersion}`,
      hint: "update pulumi-berth",
    });
  }
  let current = outputs;
  for (let version = found; version < outputVersion; version += 1) {
    current = { ...(migrations[version]?.[kind]?.(current) ?? current), schemaVersion: version + 1 };
  }
  return current;
}

/**
 * The inputs of a kind among properties of this version: new ones, or outputs after {@link migrate}.
 *
 * @throws BerthError `lock-incompatible` for inputs that the kind does not understand
 */
export function readInputs<Inputs extends CommonInputs, Observed extends CommonObserved>(
  kind: ResourceKind<Inputs, Observed>,
  properties: Properties,
): Inputs {
  const own = Object.entries(properties).filter(([field]) => Object.hasOwn(kind.differences, field));
  const parsed = kind.inputs.safeParse(Object.fromEntries(own));
  if (parsed.success) return parsed.data;
  throw new BerthError("lock-incompatible", {
    where: `${kind.kind} ${String(properties.name)}`,
    what: "the state holds inputs that this version of Berth does not understand",
    hint: "use the version of pulumi-berth that wrote the state, or a later one",
    detail: z.prettifyError(parsed.error),
  });
}
