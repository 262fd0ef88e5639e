import type { HttpAnswer } from "../host/host.js";
import type { Clock } from "../lib/clock.js";
import type { Redact } from "../lib/redact.js";
import { EventStream } from "./event-stream.js";
import { describeAnswer, requestTo, type ProbeTarget, type SendRequest } from "./probe.js";
import { at, parsedBody } from "./proof.js";
import type { Question } from "./question.js";
import { errorText } from "./refusal.js";

export interface TimedEdges {
  readonly send: SendRequest;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Takes the target's secrets out of what it answers. */
  readonly redact: Redact;
}

/** What came of one request. Times are seconds from its beginning. */
export type TimedReply =
  | {
      readonly ok: true;
      /** Of an answer that is not streamed, until all of it was there. */
      readonly firstTokenSeconds: number;
      readonly seconds: number;
      /** Of the answer; 0 for a vector. */
      readonly tokens: number;
      /** Whether the engine told how many tokens there were, or its events were counted. */
      readonly counted: "usage" | "events";
      /** Of what was asked; undefined where the engine does not tell. */
      readonly promptTokens: number | undefined;
    }
  | { readonly ok: false; readonly reason: string };

/** How long an answer may take. */
const requestSeconds = 300;

/** Asks a served model one thing and measures the answer as it comes. Throws only when stopped, or when the host is lost. */
export async function timeRequest(
  target: ProbeTarget,
  { path, body, read, readPiece }: Question,
  { send, clock, signal, redact }: TimedEdges,
): Promise<TimedReply> {
  const begun = clock.now().getTime();
  const since = () => (clock.now().getTime() - begun) / 1000;
  const common = { ...requestTo(target), method: "POST", path, signal, timeoutSeconds: requestSeconds } as const;
  const failed = (answer: HttpAnswer, otherwise: string): TimedReply => {
    const isWell = answer.kind === "answered" && answer.status >= 200 && answer.status < 300;
    return { ok: false, reason: `${path}: ${isWell ? redact(otherwise) : redact(describeAnswer(answer))}` };
  };
  if (readPiece === undefined) {
    const answer = await send({ ...common, body: JSON.stringify(body) });
    const seconds = since();
    const usage = { tokens: 0, counted: "usage", promptTokens: tokensOf(parsedBody(answer), "prompt") } as const;
    const isRead = read(parsedBody(answer)) !== undefined;
    return isRead ? { ok: true, firstTokenSeconds: seconds, seconds, ...usage } : failed(answer, "no vector came");
  }
  const events = new EventStream();
  const seen: Seen = { pieces: 0 };
  const onPiece = (bytes: Uint8Array) => {
    for (const event of events.read(bytes)) {
      if (readPiece(event) !== undefined) {
        seen.firstTokenSeconds ??= since();
        seen.pieces += 1;
      }
      seen.tokens = tokensOf(event, "completion") ?? seen.tokens;
      seen.promptTokens = tokensOf(event, "prompt") ?? seen.promptTokens;
      seen.trouble ??= errorText(event);
    }
  };
  const streamed = { ...body, stream: true, stream_options: { include_usage: true } };
  const answer = await send({ ...common, body: JSON.stringify(streamed), onPiece });
  const { firstTokenSeconds, trouble, tokens, promptTokens, pieces } = seen;
  if (trouble !== undefined) return failed(answer, `broken off: ${trouble}`);
  if (firstTokenSeconds === undefined || answer.kind !== "answered") return failed(answer, "no token came");
  // Engines that do not tell how many tokens there were send each by itself.
  const counted = tokens === undefined ? "events" : "usage";
  return { ok: true, firstTokenSeconds, seconds: since(), tokens: tokens ?? pieces, counted, promptTokens };
}

/** What has come of a streamed answer. */
interface Seen {
  firstTokenSeconds?: number;
  pieces: number;
  tokens?: number | undefined;
  promptTokens?: number | undefined;
  trouble?: string | undefined;
}

function tokensOf(body: unknown, of: "prompt" | "completion"): number | undefined {
  const told = at(body, "usage", `${of}_tokens`);
  return typeof told === "number" && told >= 0 ? told : undefined;
}
