/** Runner images as backends, stacks and locks name them: chosen of the catalogue, and what was chosen. */
import { z } from "zod";

import { serviceVersionPattern } from "./runner.js";
import { imageSignature } from "./signature.js";
import { versionRange } from "./version-range.js";

const service = z
  .string()
  .regex(/^[a-z]+$/, { error: "expected a service as tags name it, such as vllm" })
  .describe("Service of the image, as its tag names it");

const serviceVersion = z
  .string({ error: "expected a string; put the version in quotes, because 0.10 without them is the number 0.1" })
  .regex(serviceVersionPattern, { error: "expected a version as tags have them, such as 0.17.1 or 2.1.rc1" });

/** How a backend version is had from the catalogue of runner images. */
export const runnerImageInstall = z
  .strictObject({
    service,
    serviceVersion: serviceVersion
      .optional()
      .describe("Version of the service. Default: the backend version without a leading v"),
    signature: imageSignature.optional(),
  })
  .describe(
    "A runner image: `lock` chooses the one of backends/runners that the hosts can run. Taken where `image` does not serve",
  );

/** What a deployment asks of its runner image. */
export const runnerImageChoice = z
  .strictObject({
    acceleratorVersion: versionRange
      .optional()
      .describe(
        'Version of the vendor\'s runtime in it: "12.8", "12.x", ">=12.6 <13". Default: the newest that the hosts can run',
      ),
    variant: z
      .string()
      .regex(/^[a-z0-9]+$/, { error: "expected small letters and digits" })
      .optional()
      .describe("Variant, such as 910b. Default: that of the hosts' SoC"),
    allowRc: z.boolean().default(false).describe("Takes images made from release candidates too"),
  })
  .describe("The runner image of the backend version, instead of every other way to install it");

/** What an image is of the catalogue, and on which hosts it runs: what a lock needs to tell that without the catalogue. */
export const lockedRunnerImage = z
  .strictObject({
    acceleratorType: z.string().describe("Accelerator type"),
    acceleratorVersion: z.string().describe("Version of the vendor's runtime in it"),
    variant: z.string().optional().describe("Variant"),
    service,
    serviceVersion: z.string().describe("Version of the service"),
    platforms: z.array(z.string()).describe("Platforms that it is for"),
    computeCapabilities: z.array(z.string()).optional().describe("CUDA compute capabilities with code in it"),
    llvmTargets: z.array(z.string()).optional().describe("LLVM targets with code in it"),
    socs: z.array(z.string()).optional().describe("SoCs of its variant"),
    comparable: z.boolean().describe("Whether hosts tell a version that its runtime's can be compared with"),
  })
  .describe("The runner image that it is, and which hosts can run it");

export type RunnerImageInstall = z.output<typeof runnerImageInstall>;
export type RunnerImageChoice = z.output<typeof runnerImageChoice>;
export type LockedRunnerImage = z.output<typeof lockedRunnerImage>;
