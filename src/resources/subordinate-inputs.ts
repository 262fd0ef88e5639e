import { z } from "zod";

import { placedMemory } from "../schema/placement.js";
import { commonInputs } from "./common.js";
import { hostChange } from "./host-change.js";
import type { DifferenceTable, FieldRule } from "./kind.js";

const port = z.int().min(1).max(65_535);

export const subordinateInputs = z.strictObject({
  ...commonInputs,
  instance: z.string().describe("The instance that it is a part of"),
  backend: z.string().describe("Name of the backend"),
  backendVersion: z.string().describe("Version of the backend, which all parts of an instance have"),
  /** Changes when the engine is installed anew. */
  installation: z.string().describe("Identity of the backend's installation on the host"),
  executable: z.string().describe("File of the server, beside the engine's executable: an RPC server, or Ray"),
  ray: z
    .strictObject({
      role: z.enum(["head", "member"]).describe("The head is on the primary's host"),
      headAddress: z.string().describe("Where the head's control store is: ADDRESS:PORT"),
      devices: z.int().min(0).describe("Accelerators that the node offers"),
    })
    .optional()
    .describe("What it is in the instance's Ray cluster. Default: it is an RPC server"),
  head: z
    .strictObject({
      start: z.string().describe("Identity of the head's start: a member of an earlier one is in no cluster"),
      versions: z.string().describe("Versions of Ray and Python there, which have to be the member's own"),
    })
    .optional()
    .describe("The head of the Ray cluster that a member joins"),
  token: z.string().optional().describe("What a member shows to the others of its Ray cluster"),
  runtime: z.string().describe("What keeps it alive"),
  /** Changes when the model's files are put in place anew. */
  placement: z.string().optional().describe("Identity of the model's placement, where it is read by itself"),
  address: z.string().describe("Where the primary reaches it"),
  port: port.describe("Port at which the primary reaches it"),
  admits: z.string().describe("Address of the primary's host, which alone is let in"),
  serverPort: port
    .optional()
    .describe("Port of its server on loopback. Default: the server itself is where the primary reaches it"),
  haproxy: z.string().regex(/^\//).optional().describe("HAProxy's executable, which stands before the server"),
  env: z.record(z.string(), z.string()).default({}).describe("Environment of the server"),
  devices: z.array(z.string()).min(1).optional().describe("Identities of the accelerators that are its own"),
  memory: placedMemory.optional().describe("What it takes of its host and its devices"),
});

export type SubordinateInputs = z.output<typeof subordinateInputs>;

const restart = {
  change: "update",
  reason: "the server is started again, and then the primary",
} as const satisfies FieldRule<unknown>;
const settings = { change: "update", reason: "nothing of what runs is touched" } as const satisfies FieldRule<unknown>;

export const subordinateDifferences: DifferenceTable<SubordinateInputs> = {
  name: {
    change: "replace",
    reason: "another subordinate: it stands beside the old one until the primary has changed",
  },
  owner: { change: "replaceDeletingFirst", reason: "another owner" },
  host: hostChange("replaceDeletingFirst"),
  runtime: { change: "replaceDeletingFirst", reason: "another supervisor" },
  instance: { change: "replaceDeletingFirst", reason: "another instance" },
  backend: restart,
  backendVersion: restart,
  installation: restart,
  executable: restart,
  ray: restart,
  head: restart,
  token: restart,
  placement: restart,
  address: restart,
  port: restart,
  admits: restart,
  serverPort: restart,
  haproxy: restart,
  env: restart,
  devices: settings,
  memory: settings,
};
