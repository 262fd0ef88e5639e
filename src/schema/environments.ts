import { z } from "zod";

import { gates } from "./gates.js";
import { name } from "./scalars.js";

/** What may not be in an environment. */
export const environmentRule = z.enum(["pinnedArtifacts", "signedArtifacts", "keyedAddresses", "plainContainers"]);

export const environmentEntry = z
  .strictObject({
    gates: gates.optional(),
    promoters: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .describe("Who may promote to it: addresses, as `git config user.email` has them. Default: everybody"),
    rules: z
      .array(environmentRule)
      .default([])
      .describe(
        "What holds there for every deployment. `pinnedArtifacts`: nothing runs whose bytes the lock does not know. `signedArtifacts`: nothing runs whose signature a backend file does not ask for, so only signed files and images do. `keyedAddresses`: what serves on another address than loopback asks for a key. `plainContainers`: no container is privileged, has the host's shared memory or more capabilities",
      ),
  })
  .describe("An environment: the stack of the same name");

/** `stacks/environments.yaml` */
export const environmentsFile = z
  .strictObject({
    schemaVersion: z.literal(1).describe("Version of this format"),
    order: z
      .array(name)
      .min(1)
      .refine((order) => new Set(order).size === order.length, { error: "expected each environment once" })
      .describe("The environments, in the order in which a release goes through them: [dev, staging, prod]"),
    environments: z.record(name, environmentEntry).default({}).describe("What is said of them, by name"),
  })
  .superRefine(({ order, environments }, context) => {
    for (const known of Object.keys(environments)) {
      if (order.includes(known)) continue;
      const message = `expected an environment of \`order\`: ${order.join(", ")}`;
      context.addIssue({ code: "custom", path: ["environments", known], message, input: known });
    }
  })
  .describe("Berth environments file: in which order releases go through stacks, and what holds in each");

export type EnvironmentsFile = z.output<typeof environmentsFile>;
export type EnvironmentEntry = z.output<typeof environmentEntry>;
export type EnvironmentRule = z.output<typeof environmentRule>;
