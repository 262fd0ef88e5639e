import { z } from "zod";

import { digest } from "../lib/canonical.js";
import { BerthError, messageOf } from "../lib/errors.js";
import { commit, name, sha256 } from "./scalars.js";

const seconds = z.number().min(0);
const instance = z.string().describe("The replica that was asked, as DEPLOYMENT-NUMBER");

const verifyResult = z
  .strictObject({
    command: z.string().describe("Name of the command, as INSTANCE.verify.NAME"),
    passed: z.boolean().describe("Whether it passed for what runs now"),
  })
  .describe("A `verify` command of the stack");

const smokeResult = z
  .strictObject({
    instance,
    what: z.string().describe("What was asked and expected, shortened"),
    passed: z.boolean().describe("Whether the answer was as expected"),
    got: z.string().describe("The answer, or why there was none, shortened"),
  })
  .describe("A smoke request");

const performanceResult = z
  .strictObject({
    instance,
    passed: z.boolean().describe("Whether all figures were as asked for"),
    requests: z.int().min(0).describe("Requests that were sent"),
    failures: z.int().min(0).describe("Those that were not answered"),
    seconds: seconds.describe("From the begin of the first to the end of the last, seconds"),
    firstTokenSeconds: seconds
      .optional()
      .describe("So long 95 of 100 waited for the first token, or for a vector, at most, seconds; of those answered"),
    tokens: z.int().min(0).optional().describe("Tokens of all answers"),
    tokensPerSecond: seconds.optional().describe("Tokens of all answers by the time of all requests"),
  })
  .describe("What was measured");

const deploymentEvidence = z
  .strictObject({
    bundle: sha256.describe("The id of its release: what was looked at"),
    applied: z.boolean().describe("Whether the state has all that the lock asks for"),
    healthy: z.boolean().describe("Whether every replica answered and nothing of it had drifted"),
    soakSeconds: seconds
      .optional()
      .describe("How long its runners have been running without a restart, the youngest of them, seconds"),
    accelerators: z
      .array(z.string())
      .describe("Product names of its devices; `cpu` without any. Figures mean nothing on others"),
    verify: z.array(verifyResult).describe("The stack's commands that check it"),
    smoke: z.array(smokeResult).describe("What it answered"),
    performance: z.array(performanceResult).describe("How fast it was"),
    failed: z.array(z.string()).describe("Why it may not go on, one sentence each; empty when all passed"),
  })
  .describe("What a deployment has shown");

const evidenceBody = z.strictObject({
  evidenceVersion: z.literal(1).describe("Version of this format"),
  environment: z.string().min(1).describe("Where it was looked at: the stack"),
  lock: sha256.describe("The id of the lock that was looked at"),
  gates: sha256.describe("Digest of the gates that were asked"),
  at: z.iso.datetime().describe("When"),
  commit: commit.optional().describe("Commit of the project that has this lock; left out where none has"),
  deployments: z.record(name, deploymentEvidence).describe("What was seen, by deployment"),
});

export const evidence = evidenceBody
  .extend({ digest: sha256.describe("Digest of the rest, so that nobody edits it by hand") })
  .describe("What the deployments of an environment have shown");

export type EvidenceBody = z.output<typeof evidenceBody>;
export type Evidence = z.output<typeof evidence>;
export type DeploymentEvidence = z.output<typeof deploymentEvidence>;
export type VerifyResult = z.output<typeof verifyResult>;
export type SmokeResult = z.output<typeof smokeResult>;
export type PerformanceResult = z.output<typeof performanceResult>;

/** Evidence with its digest. Pure. */
export function sealEvidence(body: EvidenceBody): Evidence {
  return { ...body, digest: digest(body) };
}

/** Evidence as it is written into a file. */
export function formatEvidence(sealed: Evidence): string {
  return `${JSON.stringify(sealed, undefined, 2)}\n`;
}

/**
 * Evidence as it was written. Pure.
 *
 * @throws BerthError `evidence-invalid` for a text that is no evidence, or that was changed since
 */
export function parseEvidence(text: string, file: string): Evidence {
  const read = evidence.safeParse(parseJson(text, file));
  if (!read.success) throw invalid(file, "this is no evidence of this version of Berth", z.prettifyError(read.error));
  const { digest: told, ...body } = read.data;
  if (sealEvidence(body).digest !== told) throw invalid(file, "the evidence was changed after it was written");
  return read.data;
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalid(file, "this is no evidence: it is not JSON", messageOf(error));
  }
}

function invalid(where: string, what: string, detail = ""): BerthError {
  return new BerthError("evidence-invalid", { where, what, hint: "gather it anew with `berth verify`", detail });
}
