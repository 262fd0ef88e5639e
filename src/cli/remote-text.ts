import { BerthError, messageOf, systemCode } from "../lib/errors.js";

/** Whether an argument is an address and not a file. */
export function isAddress(argument: string): boolean {
  return /^https?:\/\//i.test(argument);
}

/** An address without its user, password and query, which may hold a key. */
export function shownAddress(address: string): string {
  const { origin, pathname } = new URL(address);
  return `${origin}${pathname}`;
}

export interface TextLimits {
  readonly largestBytes: number;
  readonly timeoutSeconds: number;
}

/**
 * The text at an address, as UTF-8. The time counts for all of it, so a server that drips does not hold it up.
 *
 * @throws BerthError `download-failed`, `file-too-large`, or `usage` for an address that shows a page about a file
 */
export async function fetchText(address: string, limits: TextLimits): Promise<string> {
  const url = parseAddress(address);
  const where = shownAddress(address);
  const signal = AbortSignal.timeout(limits.timeoutSeconds * 1000);
  try {
    const response = await fetch(url, { signal });
    if (!response.ok) throw failed(where, "the server refused the download", `HTTP status ${response.status}`);
    if (/\bhtml\b/i.test(response.headers.get("content-type") ?? "")) {
      throw failed(where, "the address holds a web page", "HTML", "give the address of the file itself");
    }
    return await readBody(response, where, limits.largestBytes);
  } catch (error) {
    if (error instanceof BerthError) throw error;
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    const reason = signal.aborted ? `nothing whole within ${limits.timeoutSeconds} s` : systemCode(cause);
    throw failed(where, "the download failed", reason ?? messageOf(cause));
  }
}

function parseAddress(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || url.username !== "" || url.password !== "") {
    throw new BerthError("usage", { what: "this is no address", expected: "http or https, without user and password" });
  }
  const [, repository, path] = /^(\/[^/]+\/[^/]+)\/blob\/(.+)$/.exec(url.pathname) ?? [];
  if (url.hostname === "github.com" && repository !== undefined && path !== undefined) {
    throw new BerthError("usage", {
      what: "the address is of GitHub's page about the file",
      got: shownAddress(address),
      hint: `give the file's own: https://raw.githubusercontent.com${repository}/${path}`,
    });
  }
  return url;
}

async function readBody(response: Response, where: string, largestBytes: number): Promise<string> {
  const reader = response.body?.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  while (reader !== undefined) {
    const { value } = (await reader.read()) as { value?: Uint8Array };
    if (value === undefined) break;
    chunks.push(value);
    size += value.byteLength;
    if (size <= largestBytes) continue;
    await reader.cancel();
    throw new BerthError("file-too-large", {
      where,
      what: "the file is too large",
      expected: `at most ${largestBytes} bytes`,
    });
  }
  return Buffer.concat(chunks).toString("utf8");
}

function failed(where: string, what: string, got: string, hint?: string): BerthError {
  return new BerthError("download-failed", { where, what, got, ...(hint !== undefined && { hint }) });
}
