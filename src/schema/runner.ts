import { z } from "zod";

import { nativeTypes, word } from "./accelerator-type.js";
import { declaredDevices } from "./declared-devices.js";

const variantName = z.string().regex(/^[a-z0-9]+$/, { error: "expected small letters and digits" });

/** As runner images name it: numbers, and a pre- or post-release after them. */
export const serviceVersionPattern = /^\d+(?:\.\d+)*(?:\.?(?:a|b|rc|post|dev)\d+)*$/;

/** Where the release has its images. Backends' rules for images know runner images by it, wherever they are. */
export const runnerRepository = "gpustack/runner";

/** Whole version of a vendor's runtime. */
export const runtimeVersionPattern = /^\d+\.\d+(?:\.\w+)*$/;

export const runnerPlatforms = ["linux/amd64", "linux/arm64"] as const;

const platform = z.enum(runnerPlatforms);
export type RunnerPlatform = z.infer<typeof platform>;

export const imageRepository = z.string().regex(/^[a-z0-9][a-z0-9._:/-]{0,200}\/[a-z0-9][a-z0-9._-]{0,100}$/, {
  error: "expected a repository with its namespace, such as registry.example.net/team/runner",
});

const runnerImage = z
  .strictObject({
    version: z.string().regex(serviceVersionPattern).describe("Version of the service"),
    runtimeVersion: z
      .string()
      .regex(runtimeVersionPattern)
      .optional()
      .describe("Whole version of the vendor's runtime in the image; left out when it is not known"),
    platforms: z.array(platform).min(1).optional().describe("Platforms that the image is for"),
    rc: z.boolean().default(false).describe("Made from a release candidate of the vendor's integration"),
    deprecated: z.boolean().default(false).describe("Taken only when it is asked for by its version"),
    polished: z.boolean().default(false).describe("Changed in place under its tag since it was released"),
    listed: z.boolean().default(true).describe("Whether the release's tables have it"),
    published: z.boolean().default(true).describe("Whether there is such an image at all"),
    onlyTargets: z.array(z.string()).min(1).optional().describe("The only LLVM targets that it runs on"),
    withoutTargets: z
      .array(z.string())
      .min(1)
      .optional()
      .describe("LLVM targets of its runtime that it does not run on"),
    digest: z
      .string()
      .regex(/^sha256:[0-9a-f]{64}$/)
      .optional()
      .describe("Digest of the index of its platforms, once it is known"),
    repository: imageRepository
      .optional()
      .describe("Where the image is had from, if not from where the file's other images are"),
    warning: z.string().optional().describe("What whoever takes it should know"),
  })
  .refine(({ published, platforms }) => !published || platforms !== undefined, {
    error: "an image that is published has platforms",
    path: ["platforms"],
  });

const runnerVersion = z.strictObject({
  version: z
    .string()
    .regex(/^\d+\.\d+$/, { error: "expected a major and a minor version, as tags have them" })
    .describe("Version of the vendor's runtime as tags have it"),
  label: z.string().optional().describe("Version as the release's tables print it, where that differs"),
  variant: variantName.optional().describe("Variant, where the accelerator type has some"),
  computeCapabilities: z
    .array(z.string().regex(/^\d+\.\d+(?:\+PTX)?$/))
    .optional()
    .describe(
      "CUDA compute capabilities with code in its images; with +PTX there is code for later ones to be translated",
    ),
  llvmTargets: z.array(z.string()).optional().describe("LLVM targets with code in its images"),
  images: z.record(word, z.array(runnerImage).min(1)).describe("Images by service, newest first"),
});

/** The runner images of one accelerator type: one file of `backends/runners`. */
export const runnerFile = z
  .strictObject({
    schemaVersion: z.literal(1).describe("Version of this format"),
    acceleratorType: word.describe("Accelerator type, as facts and tags name it"),
    name: z.string().describe("Name for people"),
    vendor: word.describe("Vendor of the devices"),
    device: z.string().describe("What the devices are called"),
    devices: declaredDevices.optional(),
    hostRuntime: z
      .strictObject({
        comparable: z
          .boolean()
          .describe(
            "Whether hosts tell a version of the same kind as those of the images, so that they can be compared",
          ),
        source: z.string().describe("What hosts tell, or why they tell nothing"),
      })
      .describe("What is known of a host's runtime"),
    repository: imageRepository
      .default(runnerRepository)
      .describe("Where the images are had from; `mirrors: { registries }` of a stack puts another place before it"),
    services: z.record(word, z.string()).describe("Services that there are images of, with their names for people"),
    variants: z
      .record(
        variantName,
        z.strictObject({
          label: z.string().describe("As the release's tables print it"),
          socs: z.array(z.string()).min(1).describe("SoCs that it runs on"),
          buildSoc: z.string().optional().describe("SoC that it is built for"),
        }),
      )
      .optional()
      .describe("Variants of the images, by the SoC of the host"),
    versions: z.array(runnerVersion).describe("Versions of the vendor's runtime, newest first"),
  })
  .superRefine(({ acceleratorType, devices, services, variants, versions }, context) => {
    const refuse = (path: PropertyKey[], message: string) => {
      context.addIssue({ code: "custom", path, message });
    };
    if (devices !== undefined && nativeTypes.some((type) => type === acceleratorType))
      refuse(["devices"], `Berth itself finds devices of type ${acceleratorType}`);
    const seen = new Set<string>();
    for (const [index, { version, variant, images }] of versions.entries()) {
      const path = ["versions", index];
      const key = `${version} ${variant ?? ""}`.trim();
      if (seen.has(key)) refuse(path, `${key} is there twice`);
      seen.add(key);
      if (variants === undefined ? variant !== undefined : !Object.hasOwn(variants, variant ?? ""))
        refuse([...path, "variant"], `expected ${oneOf(Object.keys(variants ?? {}))}`);
      for (const [service, entries] of Object.entries(images)) {
        if (!Object.hasOwn(services, service)) refuse([...path, "images", service], "it is not among the services");
        const twice = entries.findIndex(
          ({ version: one }, at) => entries.findIndex((each) => each.version === one) < at,
        );
        if (twice >= 0) refuse([...path, "images", service, twice], "this version is there twice");
      }
    }
  })
  .describe("Runner images of an accelerator type");

export type RunnerFile = z.output<typeof runnerFile>;

export { platform as runnerPlatform, variantName as runnerVariant, word as runnerWord };

function oneOf(names: readonly string[]): string {
  return names.length === 0 ? "no variant, because the file has none" : `one of ${names.join(", ")}`;
}
