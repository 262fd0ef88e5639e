/** What fetching and loading took on a host before: what plans tell times from. */
import { z } from "zod";

const bytes = z.int().min(0);
const at = z.iso.datetime().describe("When it ended");

/** So many measurements of a kind are kept, the latest. */
export const mostSamples = 5;

const transferMeasure = z
  .strictObject({
    schemaVersion: z.literal(1),
    kind: z.literal("transfer"),
    origin: z.string().describe("Where it came from: a server, a registry, or the package index"),
    samples: z.array(
      z.strictObject({ bytes: bytes.describe("What came"), seconds: z.number().positive().describe("How long"), at }),
    ),
  })
  .describe("How fast downloads came");

const loadMeasure = z
  .strictObject({
    schemaVersion: z.literal(1),
    kind: z.literal("load"),
    backend: z.string().describe("The backend"),
    modelSha256: z.string().describe("Identity of the model"),
    devices: z.int().min(0).describe("How many devices it had"),
    samples: z.array(
      z.strictObject({
        seconds: z.number().min(0).describe("From its start until it answered a real request"),
        version: z.string().describe("Version of the backend"),
        at,
      }),
    ),
  })
  .describe("How long runners took until they answered");

export const measure = z
  .discriminatedUnion("kind", [transferMeasure, loadMeasure])
  .describe("What was measured on a host");

export type Measure = z.output<typeof measure>;
export type TransferMeasure = z.output<typeof transferMeasure>;
export type LoadMeasure = z.output<typeof loadMeasure>;
export type TransferSample = TransferMeasure["samples"][number];
export type LoadSample = LoadMeasure["samples"][number];
