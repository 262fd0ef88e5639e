import type { HttpAnswer, HttpRequest } from "../host/host.js";

/**
 * How far a runner is, each rung above the one before: a port that accepts, a health path that answers 2xx, the model
 * listed under its name, one real request answered.
 */
export type HealthLevel = "down" | "portOpen" | "pathOk" | "modelListed" | "answered";

export interface ProbeTarget {
  readonly address: string;
  readonly port: number;
  readonly healthPath: string;
  /** The name under which clients ask for the model. */
  readonly model: string;
  readonly apiKey?: string | undefined;
}

export type ProbeResult =
  | { readonly level: "answered"; readonly text: string }
  /** Everything but the real request is fine, and that one got no answer in time: the runner may be at work. */
  | { readonly level: "modelListed"; readonly busy: true; readonly reason: string }
  | { readonly level: HealthLevel; readonly reason: string };

export type SendRequest = (request: HttpRequest) => Promise<HttpAnswer>;

const quickSeconds = 5;
const longestReason = 200;
/** A prompt that any language model goes on with; short, so that it costs next to nothing. */
const prompt = "1, 2, 3, 4,";

/** Climbs the ladder once and tells the highest rung reached. */
export async function probe(
  target: ProbeTarget,
  send: SendRequest,
  requestSeconds: number,
  signal?: AbortSignal,
): Promise<ProbeResult> {
  const base = {
    address: probeAddress(target.address),
    port: target.port,
    headers: target.apiKey === undefined ? {} : { authorization: `Bearer ${target.apiKey}` },
    ...(signal === undefined ? {} : { signal }),
  };
  const get = (path: string) => send({ ...base, method: "GET", path, timeoutSeconds: quickSeconds });

  const health = await get(target.healthPath);
  if (health.kind === "refused") return { level: "down", reason: `port ${target.port}: ${health.reason}` };
  if (!isOk(health)) return { level: "portOpen", reason: `${target.healthPath}: ${describeAnswer(health)}` };

  const list = await get("/v1/models");
  if (!isOk(list) || !listsModel(list, target.model)) {
    return { level: "pathOk", reason: `/v1/models does not list "${target.model}": ${describeAnswer(list)}` };
  }

  const path = "/v1/completions";
  const body = JSON.stringify({ model: target.model, prompt, max_tokens: 4, temperature: 0 });
  const answer = await send({ ...base, method: "POST", path, body, timeoutSeconds: requestSeconds });
  if (answer.kind === "timedOut")
    return { level: "modelListed", busy: true, reason: `${path}: no answer within ${requestSeconds} s` };
  const text = completionText(answer);
  return text === undefined
    ? { level: "modelListed", reason: `${path}: ${describeAnswer(answer)}` }
    : { level: "answered", text };
}

/** The address under which a host reaches a runner that listens on the given one. */
export function probeAddress(bindAddress: string): string {
  if (bindAddress === "0.0.0.0") return "127.0.0.1";
  return bindAddress === "::" ? "::1" : bindAddress;
}

function isOk(answer: HttpAnswer): boolean {
  return answer.kind === "answered" && answer.status >= 200 && answer.status < 300;
}

function listsModel(answer: HttpAnswer, model: string): boolean {
  const list = parseBody(answer) as { data?: ({ id?: unknown } | null)[] } | undefined;
  return Array.isArray(list?.data) && list.data.some((entry) => entry?.id === model);
}

function completionText(answer: HttpAnswer): string | undefined {
  if (!isOk(answer)) return undefined;
  const completion = parseBody(answer) as { choices?: ({ text?: unknown } | null)[] } | undefined;
  const text = Array.isArray(completion?.choices) ? completion.choices[0]?.text : undefined;
  return typeof text === "string" && text !== "" ? text : undefined;
}

function parseBody(answer: HttpAnswer): unknown {
  if (answer.kind !== "answered") return undefined;
  try {
    return JSON.parse(answer.body);
  } catch {
    return undefined;
  }
}

function describeAnswer(answer: HttpAnswer): string {
  if (answer.kind === "timedOut") return "no answer in time";
  if (answer.kind === "refused") return answer.reason;
  const body = answer.body.replace(/\s+/g, " ").trim().slice(0, longestReason);
  return body === "" ? `HTTP ${answer.status}` : `HTTP ${answer.status} ${body}`;
}
