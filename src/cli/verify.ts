import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

import { BerthError, messageOf, systemCode } from "../lib/errors.js";
import { formatSeconds } from "../lib/format.js";
import { formatEvidence, type DeploymentEvidence, type Evidence } from "../schema/evidence.js";
import { expectEnvironmentLock } from "./environment-lock.js";
import { hasPassed } from "./evidence.js";
import { readGates } from "./gates.js";
import { lookAtStack } from "./stack-evidence.js";
import { plainTable } from "./table.js";
import { chooseStack, openPulumi, type Workplace } from "./workplace.js";

export interface VerifyOptions {
  /** Where the evidence is written. Default: `.berth/evidence/STACK.json`. */
  output?: string;
  json?: boolean;
  /** These deployments alone. */
  only?: string[];
}

const gateFailed = 3;

/**
 * Puts the deployments of a stack to its environment's gates, shows what was found, and writes it as evidence.
 *
 * @returns the exit code: 3 when a deployment may not go on
 */
export async function verify(
  workplace: Workplace,
  named: string | undefined,
  options: VerifyOptions,
  signal: AbortSignal,
): Promise<number> {
  const stack = await chooseStack(workplace, named);
  const lock = await expectEnvironmentLock(workplace.root, stack);
  const subject = { environment: stack, lock, gates: readGates(workplace.root, stack), only: options.only };
  const found = await lookAtStack({ workplace, pulumi: await openPulumi(workplace), signal }, subject);
  workplace.print(options.json === true ? JSON.stringify(found, undefined, 2) : formatTable(found));
  const shownPath = options.output ?? join(".berth", "evidence", `${stack}.json`);
  await write(options.output === undefined ? join(workplace.root, shownPath) : resolve(shownPath), found);
  workplace.note(`evidence: ${shownPath}`);
  return hasPassed(found) ? 0 : gateFailed;
}

async function write(path: string, found: Evidence): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, formatEvidence(found));
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    throw new BerthError("usage", { where: path, what: "the evidence cannot be written there", got: messageOf(error) });
  }
}

const shownBundle = 12;

/** The table for people: a row for each deployment, then why some may not go on. */
export function formatTable({ environment, deployments }: Pick<Evidence, "environment" | "deployments">): string {
  const entries = Object.entries(deployments);
  if (entries.length === 0) return `stack ${environment}: no deployments`;
  const table = plainTable(
    ["DEPLOYMENT", "BUNDLE", "APPLIED", "HEALTHY", "SOAK", "VERIFY", "SMOKE", "PERFORMANCE", "RESULT"],
    entries.map(([name, found]) => [
      name,
      found.bundle.slice(0, shownBundle),
      found.applied ? "yes" : "no",
      found.healthy ? "yes" : "no",
      found.soakSeconds === undefined ? "-" : formatSeconds(found.soakSeconds),
      countPassed(found.verify),
      countPassed(found.smoke),
      figures(found.performance),
      found.failed.length === 0 ? "passed" : "failed",
    ]),
  );
  const failures = entries.flatMap(([name, { failed }]) => failed.map((sentence) => `${name}: ${sentence}`));
  return [table, ...failures].join("\n");
}

function countPassed(results: DeploymentEvidence["verify"] | DeploymentEvidence["smoke"]): string {
  const passed = results.filter((result) => result.passed).length;
  return results.length === 0 ? "-" : `${passed} of ${results.length}`;
}

/** Of each replica. */
function figures(results: DeploymentEvidence["performance"]): string {
  const lines = results.map(({ requests, failures, firstTokenSeconds, tokensPerSecond }) =>
    [
      `${requests - failures} of ${requests} answered`,
      ...(firstTokenSeconds === undefined ? [] : [`first token ${firstTokenSeconds} s`]),
      ...(tokensPerSecond === undefined ? [] : [`${tokensPerSecond} tokens/s`]),
    ].join(", "),
  );
  return lines.length === 0 ? "-" : lines.join("\n");
}
