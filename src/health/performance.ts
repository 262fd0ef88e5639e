import type { HttpAnswer } from "../host/host.js";
import { runBatch } from "../lib/batch.js";
import type { Clock } from "../lib/clock.js";
import type { Redact } from "../lib/redact.js";
import type { PerformanceResult } from "../schema/evidence.js";
import type { PerformanceGate } from "../schema/gates.js";
import { EventStream } from "./event-stream.js";
import { describeAnswer, requestTo, type ProbeTarget, type SendRequest } from "./probe.js";
import { at, parsedBody, type Category } from "./proof.js";
import { questionOf, type Question } from "./question.js";

export interface PerformanceEdges {
  readonly send: SendRequest;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Takes the target's secrets out of what it answers. */
  readonly redact: Redact;
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

/** How long an answer may take. */
const requestSeconds = 300;
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
      question === undefined ? cannotBeAsked(target) : await ask(target, question, { ...edges, signal: either }),
    );
  });
  return summarize(replies, (clock.now().getTime() - begun) / 1000, target.category);
}

/** Figures of all replies, rounded to milliseconds and thousandths of tokens. Pure. */
export function summarize(replies: readonly Reply[], seconds: number, category: Category | undefined): Measured {
  const answered = replies.filter((reply) => reply.ok);
  const failed = replies.filter((reply) => !reply.ok);
  const waits = answered.map(({ firstTokenSeconds }) => firstTokenSeconds).sort((a, b) => a - b);
  const slowest = waits[Math.ceil(percentile * waits.length) - 1];
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

async function ask(
  target: ProbeTarget,
  { path, body, read, readPiece }: Question,
  { send, clock, signal, redact }: PerformanceEdges,
): Promise<Reply> {
  const begun = clock.now().getTime();
  const since = () => (clock.now().getTime() - begun) / 1000;
  const common = { ...requestTo(target), method: "POST", path, signal, timeoutSeconds: requestSeconds } as const;
  const failed = (answer: HttpAnswer, otherwise: string): Reply => {
    const isWell = answer.kind === "answered" && answer.status >= 200 && answer.status < 300;
    return { ok: false, reason: `${path}: ${isWell ? otherwise : redact(describeAnswer(answer))}` };
  };
  if (readPiece === undefined) {
    const answer = await send({ ...common, body: JSON.stringify(body) });
    const isRead = read(parsedBody(answer)) !== undefined;
    return isRead ? { ok: true, firstTokenSeconds: since(), tokens: 0 } : failed(answer, "no vector came");
  }
  const events = new EventStream();
  let firstTokenSeconds: number | undefined;
  let pieces = 0;
  let told: number | undefined;
  const onPiece = (bytes: Uint8Array) => {
    for (const event of events.read(bytes)) {
      if (readPiece(event) !== undefined) {
        firstTokenSeconds ??= since();
        pieces += 1;
      }
      const usage = at(event, "usage", "completion_tokens");
      if (typeof usage === "number") told = usage;
    }
  };
  const streamed = { ...body, stream: true, stream_options: { include_usage: true } };
  const answer = await send({ ...common, body: JSON.stringify(streamed), onPiece });
  if (firstTokenSeconds === undefined || answer.kind !== "answered") return failed(answer, "no token came");
  // Engines that do not tell how many tokens there were send each by itself.
  return { ok: true, firstTokenSeconds, tokens: told ?? pieces };
}

function cannotBeAsked({ category = "llm" }: ProbeTarget): Reply {
  return { ok: false, reason: `a model of the category ${category} is not asked like that` };
}

const words = "time year people way day man thing woman life child world school state family student group".split(" ");

/** A prompt of about so many tokens: words of one token each, after what is no other prompt's. Much is to be answered. */
function promptOf(salt: string, tokens: number): string {
  const filler = Array.from({ length: tokens }, (_, index) => words[index % words.length] ?? "");
  return `${salt}: ${filler.join(" ")}. A long story that has all of these words:`;
}

function rounded(figure: number): number {
  return Math.round(figure * 1000) / 1000;
}
