import { z } from "zod";

import { BerthError } from "../lib/errors.js";
import { lastLines } from "../lib/format.js";
import { lookOnlyVariable } from "../planner/report/look-only.js";
import type { Pulumi } from "./workplace.js";

const properties = z.record(z.string(), z.unknown());
const state = z.object({ type: z.string(), inputs: properties.optional(), outputs: properties.optional() });
const step = z.object({
  op: z.string(),
  urn: z.string(),
  oldState: state.optional(),
  newState: state.optional(),
  diffReasons: z.array(z.string()).nullish(),
});

const printed = z.object({
  steps: z.array(step).optional(),
  diagnostics: z.array(z.object({ message: z.string(), severity: z.string() })).optional(),
});

/** A step of a preview. Values that are secret are `[secret]` in it. */
export type PreviewStep = z.output<typeof step>;

export interface Preview {
  readonly steps: readonly PreviewStep[];
  /** What it warned of, a line each. */
  readonly warnings: readonly string[];
}

/**
 * What Pulumi would do, with all hosts looked at anew. Nothing is written on them, nor in the state. Undefined where
 * Pulumi has no such stack.
 *
 * @throws BerthError `pulumi-failed` with what Pulumi said
 */
export async function previewStack(pulumi: Pulumi, stack: string): Promise<Preview | undefined> {
  const args = ["preview", "--json", "--refresh", "--stack", stack];
  const { exitCode, stdout, stderr } = await pulumi.run(args, { [lookOnlyVariable]: "1" });
  if (/no stack named/.test(stderr)) return undefined;
  const { steps = [], diagnostics = [] } = parsePrinted(stdout) ?? {};
  if (exitCode !== 0) {
    const told = diagnostics.filter(({ severity }) => severity === "error").map(({ message }) => message.trimEnd());
    throw new BerthError("pulumi-failed", {
      what: `the preview failed with exit code ${exitCode}`,
      detail: lastLines([...told, stderr].join("\n"), 80),
    });
  }
  const warnings = diagnostics.filter(({ severity }) => severity === "warning").map(({ message }) => message.trim());
  return { steps, warnings };
}

function parsePrinted(stdout: string): z.output<typeof printed> | undefined {
  try {
    return printed.parse(JSON.parse(stdout));
  } catch {
    return undefined;
  }
}
