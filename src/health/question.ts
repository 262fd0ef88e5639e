import type { SmokeTest } from "../schema/gates.js";
import { at, completionText, embeddingText, messageText, written, type Category } from "./proof.js";

/** A request of OpenAI's API to a served model. */
export interface Question {
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** What an answer says, for people; undefined when it says nothing. */
  readonly read: (body: unknown) => string | undefined;
  /** What an event of a streamed answer adds to it; undefined where answers are not streamed. */
  readonly readPiece: ((event: unknown) => string | undefined) | undefined;
}

/** The text or the conversation that a model is given. */
export type Asked = Pick<SmokeTest, "prompt" | "messages" | "maxTokens">;

/** Whether OpenAI's API has a request for what a model does. */
export function canBeAsked(category: Category | undefined): boolean {
  return questionOf("", category, { prompt: "", maxTokens: 1 }) !== undefined;
}

/** The path by which models are asked in conversations. */
export const conversationPath = "/v1/chat/completions";

/** Undefined for models that are asked otherwise, such as those that hear. Always with temperature 0. Pure. */
export function questionOf(model: string, category: Category = "llm", asked: Asked): Question | undefined {
  const { prompt = "", messages, maxTokens } = asked;
  const limits = { max_tokens: maxTokens, temperature: 0 };
  if (category === "embedding") {
    const input = messages === undefined ? prompt : messages.map(({ content }) => content).join("\n");
    return { path: "/v1/embeddings", body: { model, input }, read: embeddingText, readPiece: undefined };
  }
  if (category !== "llm" && category !== "vlm") return undefined;
  // Language models that were not taught to converse have no form for conversations; vision models all have.
  if (category === "llm" && messages === undefined) {
    const readPiece = (event: unknown) => written(at(event, "choices", 0, "text"));
    return { path: "/v1/completions", body: { model, prompt, ...limits }, read: completionText, readPiece };
  }
  const conversation = messages ?? [{ role: "user" as const, content: prompt }];
  const body = { model, messages: conversation, ...limits };
  return { path: conversationPath, body, read: messageText, readPiece: messagePiece };
}

/** What a model thinks before it answers comes as tokens too. */
function messagePiece(event: unknown): string | undefined {
  return contentPiece(event) ?? thoughtPiece(event);
}

/** What an event adds to what a model says in a conversation. */
export function contentPiece(event: unknown): string | undefined {
  return written(at(event, "choices", 0, "delta", "content"));
}

/** What an event adds to what a model thinks before it says something. */
export function thoughtPiece(event: unknown): string | undefined {
  const delta = at(event, "choices", 0, "delta");
  return written(at(delta, "reasoning_content")) ?? written(at(delta, "reasoning"));
}
