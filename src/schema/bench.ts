/** What `berth bench` measured. */
import { z } from "zod";

import { name } from "./scalars.js";

const figure = z.number().min(0);
const count = z.int().min(0);

const distribution = z.strictObject({
  mean: figure.describe("Mean"),
  p50: figure.describe("What 50 of 100 do not exceed"),
  p95: figure.describe("What 95 of 100 do not exceed"),
  p99: figure.describe("What 99 of 100 do not exceed"),
  max: figure.describe("The greatest"),
});

const benchLevel = z
  .strictObject({
    concurrency: z.int().min(1).describe("Requests in progress at a time; as one ends the next begins"),
    requests: count.describe("Requests that were sent"),
    errors: count.describe("Those that were not answered whole"),
    reasons: z
      .array(z.strictObject({ reason: z.string().describe("What was said"), requests: count.describe("How often") }))
      .describe("Why, the most frequent first"),
    seconds: figure.describe("From the begin of the first to the end of the last, seconds"),
    requestsPerSecond: figure.describe("Requests that were answered, by the time of all"),
    firstTokenSeconds: distribution
      .optional()
      .describe("From a request's begin to its first token, seconds; of those answered. Vectors have none"),
    latencySeconds: distribution.optional().describe("From a request's begin to its end, seconds; of those answered"),
    promptTokens: count.optional().describe("Tokens of all that was asked, where the engine tells"),
    tokens: count.optional().describe("Tokens of all answers. Vectors have none"),
    tokensPerSecond: figure.optional().describe("Tokens of all answers by the time of all requests"),
    requestTokensPerSecond: distribution
      .optional()
      .describe("Tokens after the first by the time after the first, of each answer with several"),
    tokensCountedBy: z
      .enum(["usage", "events", "both"])
      .optional()
      .describe(
        "`usage`: the engine told. `events`: it did not, and each event with text counts as one. Or some so, some so",
      ),
  })
  .describe("What was measured under one concurrency");

export const benchReport = z
  .strictObject({
    benchVersion: z.literal(1).describe("Version of this format"),
    stack: z.string().describe("The stack"),
    deployment: name.describe("The deployment"),
    model: z.string().describe("The name by which the model was asked for"),
    asked: z
      .enum(["gateway", "instances", "url"])
      .describe(
        "What was asked: the stack's gateway, the deployment's instances in turn, or an address that was given",
      ),
    servers: z.array(z.string()).describe("Which of them, and the way there: times have it in them"),
    at: z.iso.datetime().describe("When it began"),
    settings: z
      .strictObject({
        requests: count.describe("Requests under each concurrency"),
        promptTokens: count.describe("About so many tokens of each prompt; no two prompts begin alike"),
        outputTokens: count.describe("Most tokens of each answer"),
        ignoreEnd: z.boolean().describe("Whether engines were asked to go on to that many (`ignore_eos`)"),
      })
      .describe("What was asked for"),
    levels: z.array(benchLevel).describe("Figures under each concurrency"),
  })
  .describe("What `berth bench --format json` prints");

export type Distribution = z.output<typeof distribution>;
export type BenchLevel = z.output<typeof benchLevel>;
export type BenchReport = z.output<typeof benchReport>;
