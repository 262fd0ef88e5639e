import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { z } from "zod";

import { lookUp } from "../lib/record.js";
import { parseYaml } from "../schema/document.js";
import { gates, type Gates } from "../schema/gates.js";

const environments = z
  .looseObject({ environments: z.record(z.string(), z.looseObject({ gates: gates.optional() })) })
  .describe("Environments and their order");

/** The gates of an environment, by `stacks/environments.yaml`; none where there is no such file or entry. */
export function readGates(root: string, environment: string): Gates {
  const file = join("stacks", "environments.yaml");
  const path = join(root, file);
  if (!existsSync(path)) return {};
  const { environments: entries } = parseYaml(readFileSync(path, "utf8"), file, environments);
  return lookUp(entries, environment)?.gates ?? {};
}
