import pRetry, { AbortError } from "p-retry";

import { BerthError, messageOf, systemCode } from "../lib/errors.js";
import { gatedRepository } from "../model/refusal.js";
import { publicHub } from "../model/repository.js";

/** What is asked of a hub, and by whom. */
export interface HubAccess {
  readonly repo: string;
  readonly endpoint: string | undefined;
  /** The token itself. It goes to the hub's own origin alone, and into no error. */
  readonly token: string | undefined;
  /** What names the model, for errors. */
  readonly where: string;
}

export type HubFetch = (url: string | URL | Request, init?: RequestInit) => Promise<Response>;

const requestSeconds = 60;
const transientStatus = new Set([408, 425, 429, 500, 502, 503, 504]);

export function endpointOf({ endpoint }: Pick<HubAccess, "endpoint">): string {
  return (endpoint ?? publicHub).replace(/\/+$/, "");
}

/**
 * Fetch as it is used on a hub. Answers are well: a refusal is thrown as what it means. Busy servers are asked again.
 *
 * @throws BerthError `model-unavailable`
 */
export function createHubFetch(access: HubAccess): HubFetch {
  return async (input, init = {}) => {
    const url = ownAddress(input instanceof Request ? input.url : String(input), access);
    try {
      return await pRetry(() => request(url, init, access), { retries: 2, minTimeout: 500 });
    } catch (error) {
      throw error instanceof BerthError ? error : unreachable(url, error, access);
    }
  };
}

/** A mirror may pass on the Hub's own address of the next page: it is asked for at the mirror. */
function ownAddress(address: string, access: HubAccess): string {
  const endpoint = endpointOf(access);
  const url = new URL(address);
  const isForeign = url.origin !== new URL(endpoint).origin && url.pathname.startsWith("/api/models/");
  return isForeign ? `${endpoint}${url.pathname}${url.search}` : address;
}

async function request(url: string, init: RequestInit, access: HubAccess): Promise<Response> {
  const { token } = access;
  const headers = new Headers(init.headers);
  headers.delete("authorization");
  const isOwn = new URL(url).origin === new URL(endpointOf(access)).origin;
  if (token !== undefined && isOwn) headers.set("authorization", `Bearer ${token}`);
  const response = await fetch(url, { ...init, headers, signal: AbortSignal.timeout(requestSeconds * 1000) });
  if (response.ok) return response;
  await response.body?.cancel();
  if (transientStatus.has(response.status)) throw new Error(`HTTP status ${response.status}`);
  throw new AbortError(await refusal(url, response, access));
}

/**
 * What a refusal means. The Hub tells it by `X-Error-Code`; 401 is also its answer for what does not exist, to those
 * whom it does not know (`hf_raise_for_status` of huggingface_hub, src/huggingface_hub/utils/_http.py).
 */
async function refusal(url: string, { status, headers }: Response, access: HubAccess): Promise<BerthError> {
  const { repo } = access;
  const code = headers.get("x-error-code") ?? "";
  const got = code === "" ? `HTTP status ${status}` : `HTTP status ${status}, ${code}`;
  if (code === "RevisionNotFound" || (status === 404 && /\/revision\//.test(url) && code !== "RepoNotFound")) {
    const what = `the repository ${repo} has no such revision`;
    return unavailable(access, { what, got, hint: "correct `revision`", detail: await listRevisions(access) });
  }
  if (code === "EntryNotFound") return unavailable(access, { what: `the repository ${repo} lacks a file`, got });
  if (code === "GatedRepo" || status === 403)
    return gatedRepository({ ...access, hasToken: access.token !== undefined }, got);
  if (status === 401 || status === 404 || code === "RepoNotFound") return notFound(access, got);
  return unavailable(access, { what: "the hub refused to answer", got });
}

async function notFound(access: HubAccess, got: string): Promise<BerthError> {
  const detail = await listSiblings(access);
  return unavailable(access, {
    what: `the repository ${access.repo} does not exist, or is not shown to ${access.token === undefined ? "those without a token" : "this token"}`,
    got,
    hint:
      access.token === undefined
        ? "check `repo`; a private or gated repository needs `token: { secret: NAME }`"
        : "check `repo`, and that the token is valid and its account may read the repository",
    detail,
  });
}

const mostListed = 30;

/** What there is instead; nothing where that cannot be told either. */
async function listRevisions(access: HubAccess): Promise<string> {
  const refs = (await askPlainly(access, `/api/models/${access.repo}/refs`)) as Partial<Record<string, unknown>>;
  const names = [refs.branches, refs.tags].flatMap(namesIn);
  return names.length === 0 ? "" : `it has ${names.slice(0, mostListed).join(", ")}`;
}

async function listSiblings(access: HubAccess): Promise<string> {
  const [owner = "", name] = access.repo.split("/");
  if (name === undefined) return "";
  const listed = await askPlainly(access, `/api/models?author=${encodeURIComponent(owner)}&limit=${mostListed}`);
  const names = namesIn(listed);
  return names.length === 0 ? "" : `${owner} has ${names.join(", ")}`;
}

function namesIn(list: unknown): string[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((entry: unknown) => {
    const { name, id } = (typeof entry === "object" && entry !== null ? entry : {}) as { name?: unknown; id?: unknown };
    const told = name ?? id;
    return typeof told === "string" && /^[\w./-]{1,200}$/.test(told) ? [told] : [];
  });
}

async function askPlainly(access: HubAccess, path: string): Promise<object> {
  try {
    const headers: Record<string, string> =
      access.token === undefined ? {} : { authorization: `Bearer ${access.token}` };
    const signal = AbortSignal.timeout(10_000);
    const response = await fetch(`${endpointOf(access)}${path}`, { headers, signal });
    const body: unknown = response.ok ? await response.json() : {};
    return typeof body === "object" && body !== null ? body : {};
  } catch {
    return {};
  }
}

function unreachable(url: string, error: unknown, access: HubAccess): BerthError {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const code = systemCode(cause);
  return unavailable(access, {
    what: "the hub did not answer",
    got: `${new URL(url).origin}: ${code === undefined ? messageOf(cause) : `${code}: ${messageOf(cause)}`}`,
    hint: "check the network, or name a mirror that this machine reaches: `mirrors: { huggingface: https://... }` in the stack file",
  });
}

export function unavailable(
  { where }: Pick<HubAccess, "where">,
  parts: { what: string; got?: string; expected?: string; hint?: string; detail?: string },
): BerthError {
  return new BerthError("model-unavailable", { where, ...parts });
}
