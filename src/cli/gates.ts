import { lookUp } from "../lib/record.js";
import { readEnvironments } from "../lock/project.js";
import type { Gates } from "../schema/gates.js";

/** The gates of an environment, by `stacks/environments.yaml`; none where there is no such file or entry. */
export function readGates(root: string, environment: string): Gates {
  return lookUp(readEnvironments(root)?.environments ?? {}, environment)?.gates ?? {};
}
