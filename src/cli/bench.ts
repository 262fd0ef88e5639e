import { randomBytes } from "node:crypto";

import { measureLevel, type BenchProblem } from "../health/bench-level.js";
import { canBeAsked } from "../health/question.js";
import { BerthError } from "../lib/errors.js";
import { systemClock } from "../lib/clock.js";
import { benchReport, type BenchLevel, type BenchReport, type Distribution } from "../schema/bench.js";
import { findServed, type ServedChoice, type ServedModel } from "./served-model.js";
import { plainTable } from "./table.js";
import type { Workplace } from "./workplace.js";

export interface BenchOptions extends Omit<ServedChoice, "deployment"> {
  concurrency: number[];
  requests: number;
  promptTokens: number;
  outputTokens: number;
  ignoreEnd?: boolean;
  format: "table" | "json";
}

const failed = 1;

/**
 * Measures how fast a deployment answers, under one concurrency after the other.
 *
 * @returns the exit code: 1 when no request was answered under one of them
 */
export async function bench(
  workplace: Workplace,
  deployment: string,
  options: BenchOptions,
  signal: AbortSignal,
): Promise<number> {
  const served = await findServed(workplace, { ...options, deployment }, whyNotMeasured, signal);
  const { requests, promptTokens, outputTokens, ignoreEnd = false } = options;
  const settings = { requests, promptTokens, outputTokens, ignoreEnd };
  const problem = { ...settings, servers: served.servers };
  const edges = { clock: systemClock, signal, salt: randomBytes(6).toString("hex") };
  const at = systemClock.now().toISOString();
  await warm(problem, served, edges);
  const levels: BenchLevel[] = [];
  for (const concurrency of options.concurrency) {
    workplace.note(`${served.model}: ${requests} requests, ${concurrency} at a time`);
    levels.push(await measureLevel({ ...problem, concurrency }, edges));
  }
  const { stack, model, by, servers } = served;
  const common = { benchVersion: 1, stack, deployment: served.deployment, model, asked: by } as const;
  const report = benchReport.parse({ ...common, servers: servers.map(({ name }) => name), at, settings, levels });
  workplace.print(options.format === "json" ? JSON.stringify(report, undefined, 2) : formatBench(report));
  return levels.every((level) => level.errors < level.requests) ? 0 : failed;
}

function whyNotMeasured(category: Parameters<typeof canBeAsked>[0]): string | undefined {
  return canBeAsked(category) ? undefined : `a model of the category ${category ?? ""} is not measured`;
}

/** An engine's first answer takes longer than others, and one that gives none ends the command with its reason. */
async function warm(
  problem: Omit<BenchProblem, "concurrency">,
  { deployment }: ServedModel,
  { salt, ...edges }: Parameters<typeof measureLevel>[1],
): Promise<void> {
  const { servers } = problem;
  const tried = { ...problem, requests: servers.length, concurrency: servers.length, outputTokens: 1 };
  const { errors, reasons } = await measureLevel(tried, { ...edges, salt: `${salt} first` });
  if (errors === 0) return;
  throw new BerthError("request-failed", { where: deployment, what: reasons[0]?.reason ?? "no answer came" });
}

/** The table for people: a row for each concurrency, then what is not in it. */
export function formatBench({ model, servers, settings, levels }: BenchReport): string {
  const hasTokens = levels.some(({ tokens }) => tokens !== undefined);
  const three = ["P50", "P95", "P99"];
  const head = [
    ...["AT A TIME", "REQUESTS", "ERRORS"],
    ...(hasTokens ? three.map((part) => `FIRST TOKEN ${part}`) : []),
    ...three.map((part) => `LATENCY ${part}`),
    ...(hasTokens ? ["TOKENS/S EACH", "TOKENS/S ALL"] : ["REQUESTS/S"]),
  ];
  const rows = levels.map((level) => [
    ...[level.concurrency, level.requests, level.errors].map(String),
    ...(hasTokens ? seconds(level.firstTokenSeconds) : []),
    ...seconds(level.latencySeconds),
    ...(hasTokens
      ? [figure(level.requestTokensPerSecond?.p50), figure(level.tokensPerSecond)]
      : [figure(level.requestsPerSecond)]),
  ]);
  const reasons = levels.flatMap(({ concurrency, reasons: each }) =>
    each.map(({ reason, requests }) => `error: ${concurrency} at a time, ${requests} times: ${reason}`),
  );
  const { promptTokens, outputTokens } = settings;
  const most = hasTokens ? `, answers of at most ${outputTokens} tokens` : "";
  return [
    `${model} by ${servers.join("; ")}; prompts of about ${promptTokens} tokens${most}`,
    plainTable(head, rows),
    ...reasons,
    ...countedBy(levels),
  ].join("\n");
}

function countedBy(levels: readonly BenchLevel[]): string[] {
  const ways = new Set(levels.flatMap(({ tokensCountedBy }) => (tokensCountedBy === undefined ? [] : tokensCountedBy)));
  if (ways.size === 0) return [];
  const [way, ...others] = ways;
  if (others.length === 0 && way === "usage") return ["tokens as the engine tells them (usage)"];
  if (others.length === 0 && way === "events")
    return ["tokens are events with text: the engine does not tell how many"];
  return ["tokens as the engine tells them where it does, else events with text"];
}

function seconds(distribution: Distribution | undefined): string[] {
  const { p50, p95, p99 } = distribution ?? {};
  return [p50, p95, p99].map((each) => (each === undefined ? "-" : `${each.toFixed(3)} s`));
}

function figure(value: number | undefined): string {
  return value === undefined ? "-" : value.toFixed(1);
}
