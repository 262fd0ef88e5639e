import { z } from "zod";

/** An image for a platform, as GPUStack's `runner.py.json` has it. Later releases say more, which is not taken. */
const upstreamEntry = z
  .looseObject({
    backend: z.string().describe("Accelerator type"),
    backend_version: z.string().describe("Major and minor version of the vendor's runtime"),
    original_backend_version: z.string().describe("Whole version of it"),
    backend_variant: z.string().nullish().describe("Variant; empty for none"),
    service: z.string().describe("Service"),
    service_version: z.string().describe("Version of the service"),
    platform: z.string().describe("Platform"),
    docker_image: z.string().describe("Name of the image"),
    deprecated: z.boolean().default(false).describe("Whether it is deprecated"),
  })
  .describe("An image for a platform");

/** A release of GPUStack's catalogue of runner images. */
export const upstreamRelease = z
  .array(upstreamEntry)
  .min(1, { error: "expected at least one image" })
  .describe("a list of runner images, such as runner.py.json of gpustack-runner");

export type UpstreamEntry = z.output<typeof upstreamEntry>;
