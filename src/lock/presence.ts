import { messageOf } from "../lib/errors.js";

/** Whether something that a lock pins is still where it was. */
export type Presence =
  | { readonly kind: "there" }
  | { readonly kind: "gone" }
  /** Nobody told. */
  | { readonly kind: "unknown"; readonly reason: string };

const requestSeconds = 20;

export function presenceOf(status: number, ok: boolean): Presence {
  if (ok) return { kind: "there" };
  return status === 404 || status === 410 ? { kind: "gone" } : { kind: "unknown", reason: `HTTP status ${status}` };
}

/** Asks for a file's head alone; of a server that does not answer that, for its first byte. */
export async function askFilePresence(url: string): Promise<Presence> {
  try {
    const head = await ask(url, { method: "HEAD" });
    if (head.kind !== "unknown") return head;
    return await ask(url, { headers: { range: "bytes=0-0" } });
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return { kind: "unknown", reason: messageOf(cause) };
  }
}

async function ask(url: string, request: RequestInit): Promise<Presence> {
  const response = await fetch(url, { ...request, signal: AbortSignal.timeout(requestSeconds * 1000) });
  await response.body?.cancel();
  return presenceOf(response.status, response.ok);
}
