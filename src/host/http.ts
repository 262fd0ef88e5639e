import { messageOf, systemCode } from "../lib/errors.js";
import type { HttpAnswer, HttpRequest } from "./host.js";

export const longestBodyBytes = 1_000_000;

/** Sends one request over HTTP and reads the answer's body whole, up to 1 MB; what is taken by pieces to its end. */
export function sendRequest(request: HttpRequest): Promise<HttpAnswer> {
  const host = request.address.includes(":") ? `[${request.address}]` : request.address;
  return sendTo(`http://${host}:${request.port}`, request);
}

/** The same to an `http` or `https` address without a path. Certificates are verified. */
export async function sendTo(base: string, request: Omit<HttpRequest, "address" | "port">): Promise<HttpAnswer> {
  const timeout = AbortSignal.timeout(request.timeoutSeconds * 1000);
  const signal = request.signal === undefined ? timeout : AbortSignal.any([timeout, request.signal]);
  try {
    const response = await fetch(`${base}${request.path}`, {
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
    if (size <= longestBodyBytes) chunks.push(value);
    size += value.byteLength;
    if (size > longestBodyBytes && onPiece === undefined) {
      await reader.cancel();
      break;
    }
  }
  return Buffer.concat(chunks).toString("utf8");
}
