import type { HttpAnswer } from "../host/host.js";
import { BerthError } from "../lib/errors.js";
import type { Redact } from "../lib/redact.js";
import { EventStream } from "./event-stream.js";
import { requestTo, type ProbeTarget, type SendRequest } from "./probe.js";
import { at, written, type Category } from "./proof.js";
import { contentPiece, conversationPath, thoughtPiece } from "./question.js";
import { describeRefusal, errorText } from "./refusal.js";

export interface Message {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** What a model said. */
export interface ModelAnswer {
  readonly content: string;
  /** What it thought before, where the engine tells that apart. */
  readonly thought: string;
  /** Why it ended: `stop`, `length`; undefined where that is not told. */
  readonly finishReason: string | undefined;
  /** Of what was asked and of what was said, where the engine tells. */
  readonly promptTokens: number | undefined;
  readonly tokens: number | undefined;
}

export interface ConversationEdges {
  readonly send: SendRequest;
  readonly signal: AbortSignal;
  /** Takes the target's secrets out of what it answers. */
  readonly redact: Redact;
  /** Told of each piece of the answer as it comes. */
  readonly onPiece: (piece: { readonly kind: "content" | "thought"; readonly text: string }) => void;
}

/** As long as a gateway lets an answer take. */
const answerSeconds = 3600;

/** What models do that do not converse, by category. */
const others: Readonly<Record<Exclude<Category, "llm" | "vlm">, string>> = {
  embedding: "turns texts into vectors",
  reranker: "puts documents in order",
  stt: "writes down what is said",
  tts: "reads texts aloud",
  image: "makes images",
  other: "is asked in ways of its own",
};

/** Why models of a category are not talked to; undefined for those that are. Pure. */
export function whyNoConversation(category: Category): string | undefined {
  if (category === "llm" || category === "vlm") return undefined;
  return `its model does not converse: it ${others[category]} (category ${category})`;
}

/**
 * Has a model go on with a conversation.
 *
 * @throws BerthError `request-failed` with what the server says, in one line
 */
export async function converse(
  target: ProbeTarget,
  messages: readonly Message[],
  maxTokens: number | undefined,
  { send, signal, redact, onPiece }: ConversationEdges,
): Promise<ModelAnswer> {
  const events = new EventStream();
  const heard: Heard = { content: "", thought: "" };
  const body = {
    ...{ model: target.model, messages, stream: true, stream_options: { include_usage: true } },
    ...(maxTokens === undefined ? {} : { max_tokens: maxTokens }),
  };
  const answer = await send({
    ...{ ...requestTo(target), method: "POST", path: conversationPath, body: JSON.stringify(body) },
    ...{ signal, timeoutSeconds: answerSeconds },
    onPiece: (bytes) => {
      for (const event of events.read(bytes)) hear(event, heard, onPiece);
    },
  });
  const reason = whyFailed(answer, heard);
  if (reason !== undefined) throw new BerthError("request-failed", { what: redact(reason) });
  const { content, thought, finishReason, promptTokens, tokens } = heard;
  return { content, thought, finishReason, promptTokens, tokens };
}

interface Heard {
  content: string;
  thought: string;
  finishReason?: string | undefined;
  promptTokens?: number | undefined;
  tokens?: number | undefined;
  trouble?: string | undefined;
}

function hear(event: unknown, heard: Heard, onPiece: ConversationEdges["onPiece"]): void {
  const pieces = { thought: thoughtPiece(event), content: contentPiece(event) };
  for (const kind of ["thought", "content"] as const) {
    const text = pieces[kind];
    if (text === undefined) continue;
    heard[kind] += text;
    onPiece({ kind, text });
  }
  heard.finishReason = written(at(event, "choices", 0, "finish_reason")) ?? heard.finishReason;
  heard.promptTokens = count(at(event, "usage", "prompt_tokens")) ?? heard.promptTokens;
  heard.tokens = count(at(event, "usage", "completion_tokens")) ?? heard.tokens;
  heard.trouble ??= errorText(event);
}

function count(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

function whyFailed(answer: HttpAnswer, { content, thought, finishReason, trouble }: Heard): string | undefined {
  if (trouble !== undefined) return `the answer was broken off: ${trouble}`;
  if (answer.kind === "answered" && answer.status >= 200 && answer.status < 300) {
    const isEmpty = content === "" && thought === "" && finishReason === undefined;
    return isEmpty ? `no answer came: ${describeRefusal(answer)}` : undefined;
  }
  return content === "" ? describeRefusal(answer) : `the answer was broken off: ${describeRefusal(answer)}`;
}
