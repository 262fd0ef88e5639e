import { messageOf, systemCode } from "../lib/errors.js";
import type { HttpAnswer, HttpRequest } from "./host.js";

export const longestBodyBytes = 1_000_000;

/** Sends one request over HTTP and reads the answer's body whole, up to 1 MB. */
export async function sendRequest(request: HttpRequest): Promise<HttpAnswer> {
  const host = request.address.includes(":") ? `[${request.address}]` : request.address;
  const timeout = AbortSignal.timeout(request.timeoutSeconds * 1000);
  const signal = request.signal === undefined ? timeout : AbortSignal.any([timeout, request.signal]);
  try {
    const response = await fetch(`http://${host}:${request.port}${request.path}`, {
      method: request.method,
      headers: { ...(request.body === undefined ? {} : { "content-type": "application/json" }), ...request.headers },
      ...(request.body === undefined ? {} : { body: request.body }),
      redirect: "manual",
      signal,
    });
    return { kind: "answered", status: response.status, body: await readBody(response, request.onPiece) };
  } catch (error) {
    if (request.signal?.aborted === true) throw request.signal.reason;
    if (timeout.aborted) return { kind: "timedOut" };
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    return { kind: "refused", reason: systemCode(cause) ?? messageOf(cause) };
  }
}

async function readBody(response: Response, onPiece: HttpRequest["onPiece"]): Promise<string> {
  const reader = response.body?.getReader();
  if (reader === undefined) return "";
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = (await reader.read()) as { done: boolean; value?: Uint8Array };
    if (done || value === undefined) break;
    onPiece?.(value);
    chunks.push(value);
    size += value.byteLength;
    if (size > longestBodyBytes) {
      await reader.cancel();
      break;
    }
  }
  return Buffer.concat(chunks).toString("utf8");
}
