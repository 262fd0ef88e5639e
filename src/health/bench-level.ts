import { runBatch } from "../lib/batch.js";
import type { Clock } from "../lib/clock.js";
import { defined } from "../lib/record.js";
import type { Redact } from "../lib/redact.js";
import type { BenchLevel } from "../schema/bench.js";
import { distributionOf, rounded } from "./distribution.js";
import { promptOf } from "./performance.js";
import type { ProbeTarget, SendRequest } from "./probe.js";
import type { Category } from "./proof.js";
import { questionOf, type Question } from "./question.js";
import { timeRequest, type TimedReply } from "./timed-request.js";

/** What answers requests. */
export interface BenchServer {
  readonly target: ProbeTarget;
  readonly send: SendRequest;
  /** Takes its secrets out of a text. */
  readonly redact: Redact;
}

export interface BenchProblem {
  /** Asked in turn. */
  readonly servers: readonly BenchServer[];
  readonly concurrency: number;
  readonly requests: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly ignoreEnd: boolean;
}

export interface BenchEdges {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** A text that no run before had: what an engine remembers of earlier prompts would make it look faster. */
  readonly salt: string;
}

/**
 * Asks served models so many things, so many at a time, and measures the answers as they come. Requests that fail are
 * counted, not thrown; throws only when stopped, or when a host is lost.
 */
export async function measureLevel(problem: BenchProblem, { clock, signal, salt }: BenchEdges): Promise<BenchLevel> {
  const { servers, concurrency, requests } = problem;
  const replies: TimedReply[] = [];
  const begun = clock.now().getTime();
  const numbers = Array.from({ length: requests }, (_, number) => number);
  await runBatch(numbers, { atOnce: concurrency, signal }, async (number, either) => {
    const server = servers[number % servers.length];
    if (server === undefined) throw new Error("nothing is asked");
    const question = benchQuestion(server.target, `${salt} ${concurrency} ${number}`, problem);
    replies.push(await timeRequest(server.target, question, { ...server, clock, signal: either }));
  });
  const seconds = (clock.now().getTime() - begun) / 1000;
  return levelFigures(replies, { concurrency, seconds, category: servers[0]?.target.category });
}

function benchQuestion(
  { model, category }: ProbeTarget,
  salt: string,
  { promptTokens, outputTokens, ignoreEnd }: BenchProblem,
): Question {
  const question = questionOf(model, category, { prompt: promptOf(salt, promptTokens), maxTokens: outputTokens });
  if (question === undefined) throw new Error(`a model of the category ${category ?? "llm"} cannot be measured`);
  const isStreamed = question.readPiece !== undefined;
  return ignoreEnd && isStreamed ? { ...question, body: { ...question.body, ignore_eos: true } } : question;
}

interface LevelSetting {
  readonly concurrency: number;
  /** Of all requests. */
  readonly seconds: number;
  readonly category?: Category | undefined;
}

/** Figures of all replies. Pure. */
export function levelFigures(
  replies: readonly TimedReply[],
  { concurrency, seconds, category }: LevelSetting,
): BenchLevel {
  const answered = replies.filter((reply) => reply.ok);
  const reasons = replies.flatMap((reply) => (reply.ok ? [] : [reply.reason]));
  const told = answered.flatMap(({ promptTokens }) => (promptTokens === undefined ? [] : [promptTokens]));
  return {
    concurrency,
    requests: replies.length,
    errors: reasons.length,
    reasons: countReasons(reasons),
    seconds: rounded(seconds),
    requestsPerSecond: perSecond(answered.length, seconds),
    ...defined({
      latencySeconds: distributionOf(answered.map((reply) => reply.seconds)),
      promptTokens: told.length === 0 ? undefined : sum(told),
    }),
    ...(category === "embedding" ? {} : tokenFigures(answered, seconds)),
  };
}

type Answered = Extract<TimedReply, { ok: true }>;

function tokenFigures(answered: readonly Answered[], seconds: number): Partial<BenchLevel> {
  const tokens = sum(answered.map((reply) => reply.tokens));
  const ways = new Set(answered.map(({ counted }) => counted));
  const [way] = ways;
  return {
    tokens,
    tokensPerSecond: perSecond(tokens, seconds),
    ...defined({
      firstTokenSeconds: distributionOf(answered.map(({ firstTokenSeconds }) => firstTokenSeconds)),
      requestTokensPerSecond: distributionOf(answered.flatMap(ownRate)),
      tokensCountedBy: ways.size > 1 ? ("both" as const) : way,
    }),
  };
}

/** Of an answer of one token, or of one that came all at once, there is no rate. */
function ownRate({ tokens, seconds, firstTokenSeconds }: Answered): number[] {
  const after = seconds - firstTokenSeconds;
  return tokens > 1 && after > 0 ? [(tokens - 1) / after] : [];
}

function countReasons(reasons: readonly string[]): BenchLevel["reasons"] {
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts].map(([reason, requests]) => ({ reason, requests })).toSorted((a, b) => b.requests - a.requests);
}

function perSecond(count: number, seconds: number): number {
  return seconds > 0 ? rounded(count / seconds) : 0;
}

function sum(figures: readonly number[]): number {
  return figures.reduce((total, each) => total + each, 0);
}
