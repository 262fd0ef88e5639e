import type { z } from "zod";

import type { HttpAnswer } from "../host/host.js";
import type { HealthRequest } from "../schema/backend.js";
import type { category } from "../schema/scalars.js";

export type Category = z.output<typeof category>;

/** A request that only a model that works answers. */
export interface Proof {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** What the answer says, for people; undefined when it is no answer of a model. */
  readonly read: (answer: HttpAnswer) => string | undefined;
}

/** A prompt that any language model goes on with; short, so that it costs next to nothing. */
const prompt = "1, 2, 3, 4,";

/** A grey square of 32 by 32 pixels: no vision model takes less. */
const image =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAAAAABWESUoAAAAFklEQVR42mNoIAAYRhWMKhhVMFIVAABCAAAfN5c2AAAAAABJRU5ErkJggg==";

type MakeProof = (model: string) => Proof;

/** OpenAI's requests, and rerank as vLLM, llama.cpp and Infinity have it, by what the model does. */
const standard: Partial<Record<Category, MakeProof>> = {
  llm: (model) => post("/v1/completions", { model, prompt, max_tokens: 4, temperature: 0 }, completionText),
  vlm: (model) => {
    const content = [
      { type: "text", text: "What colour is this?" },
      { type: "image_url", image_url: { url: image } },
    ];
    const body = { model, messages: [{ role: "user", content }], max_tokens: 4, temperature: 0 };
    return post("/v1/chat/completions", body, messageText);
  },
  embedding: (model) => post("/v1/embeddings", { model, input: prompt }, embeddingText),
  reranker: (model) => post("/v1/rerank", { model, query: prompt, documents: ["5", "a"] }, rankText),
};

/** The request that OpenAI's API has for what a model does; undefined when it has none that fits every engine. */
export function standardProof(model: string, category: Category): Proof | undefined {
  return standard[category]?.(model);
}

/** The request that a backend declares. */
export function declaredProof(model: string, request: HealthRequest): Proof {
  const { method, path, body, contentType, expect } = request;
  // Within a JSON text the name stands in quotes already.
  const name = contentType.includes("json") ? JSON.stringify(model).slice(1, -1) : model;
  const sent = body?.replace(/\{\{\s*model_name\s*\}\}/g, () => name);
  return {
    method,
    path,
    ...(sent === undefined ? {} : { body: sent, headers: { "content-type": contentType } }),
    read: (answer) => {
      const text = bodyOf(answer);
      if (text === undefined || (expect !== undefined && !text.includes(expect))) return undefined;
      return text.slice(0, 200);
    },
  };
}

function post(path: string, body: unknown, read: (body: unknown) => string | undefined): Proof {
  return {
    method: "POST",
    path,
    body: JSON.stringify(body),
    read: (answer) => read(parsedBody(answer)),
  };
}

/** A member of what may be an object or a list; undefined when it is neither, or has none. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (inner, key) =>
      typeof inner === "object" && inner !== null
        ? (inner as Partial<Record<string | number, unknown>>)[key]
        : undefined,
    value,
  );
}

/** A text that says something. */
export function written(text: unknown): string | undefined {
  return typeof text === "string" && text !== "" ? text : undefined;
}

export const completionText = (body: unknown) => written(at(body, "choices", 0, "text"));
export const messageText = (body: unknown) => written(at(body, "choices", 0, "message", "content"));

export function embeddingText(body: unknown): string | undefined {
  const vector = at(body, "data", 0, "embedding");
  const isVector = Array.isArray(vector) && vector.length > 0 && vector.every(Number.isFinite);
  return isVector ? `a vector of ${vector.length}` : undefined;
}

function rankText(body: unknown): string | undefined {
  const score = at(body, "results", 0, "relevance_score");
  return typeof score === "number" ? `a score of ${score}` : undefined;
}

function bodyOf(answer: HttpAnswer): string | undefined {
  return answer.kind === "answered" && answer.status >= 200 && answer.status < 300 ? answer.body : undefined;
}

/** Of an answer that is well; undefined for others. */
export function parsedBody(answer: HttpAnswer): unknown {
  try {
    return JSON.parse(bodyOf(answer) ?? "");
  } catch {
    return undefined;
  }
}
