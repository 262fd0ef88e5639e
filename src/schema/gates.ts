import { z } from "zod";

import { duration, name } from "./scalars.js";

/** A name, or the deployments that have no entry of their own. */
const deploymentOrAll = z.union([name, z.literal("*")], {
  error: 'expected the name of a deployment, or "*" for those without an entry of their own',
});

const text = (what: string) =>
  z
    .string()
    .min(1, { error: `expected ${what}` })
    .max(20_000, { error: `expected ${what} of at most 20000 characters` });

const maxTokens = z.int().min(1).max(2048);

const expectation = z
  .strictObject({
    contains: text("a text").optional().describe("A text that the answer has, as it is written here"),
    notContains: text("a text").optional().describe("A text that the answer does not have"),
  })
  .refine(({ contains, notContains }) => contains !== undefined || notContains !== undefined, {
    error: "expected `contains`, `notContains` or both",
  })
  .describe("What the answer has to be. Default: any text. An embedding model has to answer with a vector alone");

const message = z.strictObject({
  role: z.enum(["system", "user", "assistant"]).describe("Who says it"),
  content: text("what is said").describe("What is said"),
});

const smokeTest = z
  .strictObject({
    prompt: text("a prompt").optional().describe("A text that the model goes on with, or embeds"),
    messages: z.array(message).min(1).max(100).optional().describe("A conversation that the model answers, instead"),
    maxTokens: maxTokens.default(64).describe("Most tokens of the answer"),
    expect: expectation.optional(),
  })
  .refine(({ prompt, messages }) => (prompt === undefined) !== (messages === undefined), {
    error: "expected either `prompt` or `messages`",
  })
  .describe("A request, and what is expected of its answer. It is sent to every replica, with temperature 0");

const performanceGate = z
  .strictObject({
    requests: z.int().min(1).max(10_000).describe("How many requests are sent to each replica"),
    parallel: z.int().min(1).max(256).default(1).describe("How many of them at a time"),
    promptTokens: z.int().min(1).max(8192).default(128).describe("Length of a prompt, in tokens; about so many"),
    maxTokens: maxTokens.default(128).describe("Most tokens of an answer"),
    firstTokenSeconds: z
      .number()
      .positive()
      .optional()
      .describe(
        "How long 95 of 100 requests may wait for their first token, seconds; of an embedding model for its vector",
      ),
    tokensPerSecond: z
      .number()
      .positive()
      .optional()
      .describe("How many tokens all requests together get each second, at least. Not asked of embedding models"),
    failures: z.int().min(0).default(0).describe("How many requests may fail"),
  })
  .describe("How fast each replica has to be. It means something only on the accelerators that the figures are for");

/** What a release has to show in an environment before it may go on to the next one. */
export const gates = z
  .strictObject({
    soak: duration.optional().describe("How long its runners have to have been running without a restart"),
    verify: z.literal(true).optional().describe("The deployments' `verify` commands have passed for what runs now"),
    smoke: z
      .record(deploymentOrAll, z.array(smokeTest).max(100))
      .optional()
      .describe(
        'Requests and their answers, by deployment; `"*"` is for language, vision and embedding models without an entry of their own',
      ),
    performance: z
      .record(deploymentOrAll, performanceGate)
      .optional()
      .describe(
        'How fast it has to be, by deployment; `"*"` is for language, vision and embedding models without an entry of their own',
      ),
    maxEvidenceAge: duration
      .optional()
      .describe("How old evidence may be that `berth promote --evidence` is given. Default: 24h"),
  })
  .describe("What a release has to show in an environment before it may go on to the next one");

export type Gates = z.output<typeof gates>;
export type SmokeTest = z.output<typeof smokeTest>;
export type PerformanceGate = z.output<typeof performanceGate>;
