import type { HttpAnswer, HttpRequest } from "../host/host.js";
import type { HealthRequest } from "../schema/backend.js";
import { declaredProof, standardProof, type Category } from "./proof.js";

/**
 * How far a runner is, each rung above the one before: a port that accepts, a health path that answers 2xx, the model
 * listed under its name, one real request answered. `reachable` is the top for an engine to which no request is known:
 * its health path answers, and nothing proves its model.
 */
export type HealthLevel = "down" | "portOpen" | "pathOk" | "modelListed" | "reachable" | "answered";

export interface ProbeTarget {
  readonly address: string;
  readonly port: number;
  readonly healthPath: string;
  /** The name under which clients ask for the model. */
  readonly model: string;
  /** The model's file: some engines list a model under it. */
  readonly modelPath?: string | undefined;
  /** What the model does. Default: llm. */
  readonly category?: Category | undefined;
  /** What the backend asks to be sent instead of OpenAI's requests. */
  readonly request?: HealthRequest | undefined;
  readonly apiKey?: string | undefined;
}

export type ProbeResult =
  | { readonly level: "answered"; readonly text: string }
  /** All that can be asked is well. */
  | { readonly level: "reachable" }
  /** Everything but the real request is fine, and that one got no answer in time: the runner may be at work. */
  | { readonly level: "modelListed"; readonly busy: true; readonly reason: string }
  | { readonly level: Exclude<HealthLevel, "answered" | "reachable">; readonly reason: string };

export type SendRequest = (request: HttpRequest) => Promise<HttpAnswer>;

const quickSeconds = 5;
/** Characters of what a server says that are shown. */
export const longestReason = 200;

/** Climbs the ladder once and tells the highest rung reached. */
export async function probe(
  target: ProbeTarget,
  send: SendRequest,
  requestSeconds: number,
  signal?: AbortSignal,
): Promise<ProbeResult> {
  const base = { ...requestTo(target), ...(signal === undefined ? {} : { signal }) };
  const get = (path: string) => send({ ...base, method: "GET", path, timeoutSeconds: quickSeconds });

  const health = await get(target.healthPath);
  if (health.kind === "refused") return { level: "down", reason: `port ${target.port}: ${health.reason}` };
  if (!isOk(health)) return { level: "portOpen", reason: `${target.healthPath}: ${describeAnswer(health)}` };

  const standard = target.request === undefined ? standardProof(target.model, target.category ?? "llm") : undefined;
  const proof = target.request === undefined ? standard : declaredProof(target.model, target.request);
  if (proof === undefined) return { level: "reachable" };

  // Only engines that speak OpenAI's API list their models there.
  if (standard !== undefined) {
    const list = await get("/v1/models");
    if (!isOk(list) || !listsModel(list, target)) {
      return { level: "pathOk", reason: `/v1/models does not list "${target.model}": ${describeAnswer(list)}` };
    }
  }

  const { method, path, body, headers = {}, read } = proof;
  const request = { ...base, method, path, timeoutSeconds: requestSeconds, headers: { ...base.headers, ...headers } };
  const answer = await send(body === undefined ? request : { ...request, body });
  if (answer.kind === "timedOut")
    return { level: "modelListed", busy: true, reason: `${path}: no answer within ${requestSeconds} s` };
  const text = read(answer);
  return text === undefined
    ? { level: standard === undefined ? "pathOk" : "modelListed", reason: `${path}: ${describeAnswer(answer)}` }
    : { level: "answered", text };
}

/** What every request to a target has. */
export function requestTo({
  address,
  port,
  apiKey,
}: ProbeTarget): Pick<HttpRequest, "address" | "port"> & { headers: Record<string, string> } {
  const headers: Record<string, string> = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  return { address: probeAddress(address), port, headers };
}

/** Why a probe got no further; empty for one that could not. */
export function reasonOf(result: ProbeResult): string {
  return "reason" in result ? result.reason : "";
}

/** Whether a probe has got as far as it can with this engine. */
export function isProven(result: ProbeResult): boolean {
  return result.level === "answered" || result.level === "reachable";
}

/** The address under which a host reaches a runner that listens on the given one. */
export function probeAddress(bindAddress: string): string {
  if (bindAddress === "0.0.0.0") return "127.0.0.1";
  return bindAddress === "::" ? "::1" : bindAddress;
}

function isOk(answer: HttpAnswer): boolean {
  return answer.kind === "answered" && answer.status >= 200 && answer.status < 300;
}

function listsModel(answer: HttpAnswer, { model, modelPath }: ProbeTarget): boolean {
  const list = parseBody(answer) as { data?: ({ id?: unknown } | null)[] } | undefined;
  const names: unknown[] = modelPath === undefined ? [model] : [model, modelPath];
  return Array.isArray(list?.data) && list.data.some((entry) => names.includes(entry?.id));
}

function parseBody(answer: HttpAnswer): unknown {
  if (answer.kind !== "answered") return undefined;
  try {
    return JSON.parse(answer.body);
  } catch {
    return undefined;
  }
}

/** What an answer is, for people, in one line. */
export function describeAnswer(answer: HttpAnswer): string {
  if (answer.kind === "timedOut") return "no answer in time";
  if (answer.kind === "refused") return answer.reason;
  const body = answer.body.replace(/\s+/g, " ").trim().slice(0, longestReason);
  return body === "" ? `HTTP ${answer.status}` : `HTTP ${answer.status} ${body}`;
}
