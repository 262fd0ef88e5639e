import { z } from "zod";

import { acceleratorTypes } from "./facts.js";

/** What a runner's container is, beside the argument vector and environment that every runner has. */
export const containerSettings = z.strictObject({
  image: z.string().describe("The image by its digest, as NAME@sha256:..."),
  entrypoint: z.array(z.string()).min(1).optional().describe("Entrypoint. Default: the image's own"),
  containerPort: z.int().min(1).max(65535).describe("Port inside the container, which the runner's port leads to"),
  mounts: z
    .array(z.strictObject({ source: z.string(), target: z.string(), readOnly: z.boolean().default(true) }))
    .default([])
    .describe("Folders and files of the host inside the container"),
  devices: z
    .strictObject({
      acceleratorType: z.enum(acceleratorTypes).describe("Their type"),
      ids: z.array(z.string()).min(1).describe("Their identities: UUIDs where the vendor has them, else indexes"),
    })
    .optional()
    .describe("Accelerators that the container is given; none without it"),
});

export type ContainerSettings = z.output<typeof containerSettings>;
