import { z } from "zod";

import { runnerPlatform, runnerWord } from "./runner.js";

const argumentValue = z
  .string()
  .min(1, { error: "expected a value; leave the argument out where the Dockerfile's own is to count" })
  .regex(/^[^\n\r]*$/, { error: "expected one line" });

const rule = z.strictObject({
  services: z.array(runnerWord).min(1).describe("Services that are built, each in an image of its own"),
  platforms: z
    .array(runnerPlatform)
    .min(1)
    .default(["linux/amd64", "linux/arm64"])
    .describe("Platforms that they are built for. Default: linux/amd64, linux/arm64"),
  args: z
    .record(z.string().regex(/^[A-Z][A-Z0-9_]*$/, { error: "expected capital letters, digits and _" }), argumentValue)
    .default({})
    .describe("Arguments in the place of those that the Dockerfile has; texts, so that 12.10 stays what it is"),
  target: z
    .string()
    .regex(/^[a-z][a-z0-9._-]*$/, { error: "expected the name of a stage" })
    .optional()
    .describe("Stage that is built. Default: the one with the service's name"),
  dockerfile: z
    .string()
    .regex(/^Dockerfile(?:\.[a-z0-9]+)?$/, { error: "expected Dockerfile or Dockerfile.NAME, beside the matrix" })
    .optional()
    .describe("Default: Dockerfile.SERVICE where it is there, else Dockerfile"),
});

/** What is built of one accelerator type: `backends/runners/TYPE/matrix.yaml`. */
export const runnerMatrix = z
  .strictObject({
    schemaVersion: z.literal(1).describe("Version of this format"),
    rules: z.array(rule).describe("What is built; a rule is an image for each of its services"),
  })
  .describe("Build matrix of the runner images of an accelerator type");

export type RunnerMatrix = z.output<typeof runnerMatrix>;
export type RunnerMatrixRule = RunnerMatrix["rules"][number];
