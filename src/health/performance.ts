import { runBatch } from "../lib/batch.js";
import type { PerformanceResult } from "../schema/evidence.js";
import type { PerformanceGate } from "../schema/gates.js";
import { percentileOf, rounded } from "./distribution.js";
import type { ProbeTarget } from "./probe.js";
import type { Category } from "./proof.js";
import { questionOf } from "./question.js";
import { timeRequest, type TimedEdges } from "./timed-request.js";

export interface PerformanceEdges extends TimedEdges {
  /** A text that no run before had: what an engine remembers of earlier prompts would make it look faster. */
  readonly salt: string;
}

export type Measured = Omit<PerformanceResult, "instance" | "passed"> & {
  /** Why the first request that failed did; empty when none has. */
  readonly reason: string;
};

/** What came of one request. Times are seconds. */
export type Reply =
  | { readonly ok: true; readonly firstTokenSeconds: number; readonly tokens: number }
  | { readonly ok: false; readonly reason: string };

const percentile = 0.95;

/**
 * Asks a served model so many things, some at a time, and measures the answers as they come. Times are this machine's:
 * over ssh they have the way there and back in them. Throws only when stopped, or when the host is lost.
 */
export async function measurePerformance(
  target: ProbeTarget,
  gate: PerformanceGate,
  edges: PerformanceEdges,
): Promise<Measured> {
  const { clock, signal, salt } = edges;
  const replies: Reply[] = [];
  const begun = clock.now().getTime();
  const numbers = Array.from({ length: gate.requests }, (_, number) => number);
  await runBatch(numbers, { atOnce: gate.parallel, signal }, async (number, either) => {
    const asked = { prompt: promptOf(`${salt} ${number}`, gate.promptTokens), maxTokens: gate.maxTokens };
    const question = questionOf(target.model, target.category, asked);
    replies.push(
      question === undefined
        ? cannotBeAsked(target)
        : await timeRequest(target, question, { ...edges, signal: either }),
    );
  });
  return summarize(replies, (clock.now().getTime() - begun) / 1000, target.category);
}

/** Figures of all replies, rounded to milliseconds and thousandths of tokens. Pure. */
export function summarize(replies: readonly Reply[], seconds: number, category: Category | undefined): Measured {
  const answered = replies.filter((reply) => reply.ok);
  const failed = replies.filter((reply) => !reply.ok);
  const slowest = percentileOf(
    answered.map(({ firstTokenSeconds }) => firstTokenSeconds),
    percentile,
  );
  const tokens = answered.reduce((sum, reply) => sum + reply.tokens, 0);
  const isStreamed = category !== "embedding";
  return {
    requests: replies.length,
    failures: failed.length,
    seconds: rounded(seconds),
    ...(slowest === undefined ? {} : { firstTokenSeconds: rounded(slowest) }),
    ...(isStreamed ? { tokens } : {}),
    ...(isStreamed && seconds > 0 ? { tokensPerSecond: rounded(tokens / seconds) } : {}),
    reason: failed[0]?.reason ?? "",
  };
}

/** What of a measurement is not as asked for, one sentence each. Pure. */
export function judgePerformance(gate: PerformanceGate, measured: Measured, category: Category | undefined): string[] {
  const { requests, failures, firstTokenSeconds, tokensPerSecond, reason } = measured;
  const { firstTokenSeconds: longest, tokensPerSecond: least } = gate;
  const waited = category === "embedding" ? "a vector" : "the first token";
  const isSlow = longest !== undefined && (firstTokenSeconds === undefined || firstTokenSeconds > longest);
  const isFew = least !== undefined && category !== "embedding" && (tokensPerSecond ?? 0) < least;
  return [
    ...(failures > gate.failures
      ? [`${failures} of ${requests} requests failed, at most ${gate.failures} may (${reason})`]
      : []),
    ...(isSlow
      ? [
          firstTokenSeconds === undefined
            ? `${waited} came for no request`
            : `95 of 100 waited up to ${firstTokenSeconds} s for ${waited}, at most ${longest} s may be`,
        ]
      : []),
    ...(isFew ? [`${tokensPerSecond ?? 0} tokens per second, at least ${least} have to be`] : []),
  ];
}

function cannotBeAsked({ category = "llm" }: ProbeTarget): Reply {
  return { ok: false, reason: `a model of the category ${category} is not asked like that` };
}

const words = "time year people way day man thing woman life child world school state family student group".split(" ");

/** A prompt of about so many tokens: words of one token each, after what is no other prompt's. Much is to be answered. */
export function promptOf(salt: string, tokens: number): string {
  const filler = Array.from({ length: tokens }, (_, index) => words[index % words.length] ?? "");
  return `${salt}: ${filler.join(" ")}. A long story that has all of these words:`;
}
