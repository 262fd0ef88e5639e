/** What the environments file says of one stack. Pure. */
import { lookUp } from "../lib/record.js";
import type { EnvironmentEntry, EnvironmentsFile } from "../schema/environments.js";

/** A stack of `stacks/environments.yaml`. */
export interface Environment {
  readonly name: string;
  /** Where its releases come from; undefined for the first one, which makes them. */
  readonly predecessor: string | undefined;
  readonly entry: EnvironmentEntry;
}

/** Undefined for a stack that the file does not order, and where there is no such file. */
export function environmentOf(file: EnvironmentsFile | undefined, name: string): Environment | undefined {
  const index = file?.order.indexOf(name) ?? -1;
  if (file === undefined || index < 0) return undefined;
  return { name, predecessor: file.order[index - 1], entry: lookUp(file.environments, name) ?? { rules: [] } };
}
