import { z } from "zod";

import type { HostReference } from "../host/host.js";
import { sshTarget } from "../schema/hosts.js";

const place = {
  name: z.string().describe("Name of the host"),
  dataDir: z.string().regex(/^\//).describe("Absolute path of Berth's folder on the host"),
  binDir: z.string().regex(/^\//).optional().describe("Absolute path of its folder of executables"),
};

/** A host, as the inputs of everything on it carry it. */
export const hostReference: z.ZodType<HostReference> = z
  .discriminatedUnion("connection", [
    z.strictObject({ connection: z.literal("local").describe("This machine"), ...place }),
    z.strictObject({ connection: z.literal("ssh").describe("Another machine"), ssh: sshTarget, ...place }),
  ])
  .describe("The host that holds the resource");

/** Inputs that every resource has. */
export const commonInputs = {
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._@-]{0,180}$/)
    .describe("Unique among the resources of this kind and owner"),
  owner: z
    .string()
    .regex(/^[A-Za-z0-9._-]+\/[A-Za-z0-9._-]+$/)
    .describe("Pulumi project and stack, as project/stack"),
  host: hostReference,
};
