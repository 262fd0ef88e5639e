/** Requests as bytes, and what is answered to them. */
import { connect } from "node:net";

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Of an error, as OpenAI's clients read it. */
  readonly code?: string;
}

/** What would be answered beside comes within so long. */
const quietMilliseconds = 100;

/**
 * Sends bytes and returns all that is answered until the other side closes. Its own side ends when all seems to be
 * answered: whoever ends it before has gone away.
 *
 * @param options.end at once, or never, where that is what matters
 */
export function sendRaw(
  port: number,
  text: string,
  { end = "answered" }: { end?: "answered" | "at once" | "never" } = {},
): Promise<RawAnswer[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let answer = "";
    let quiet: NodeJS.Timeout | undefined;
    socket.on("data", (data) => {
      answer += data.toString("latin1");
      clearTimeout(quiet);
      if (end === "answered") quiet = setTimeout(() => socket.end(), quietMilliseconds);
    });
    socket.on("error", reject);
    socket.on("close", () => {
      clearTimeout(quiet);
      resolve(readAnswers(answer));
    });
    if (end === "at once") socket.end(text, "latin1");
    else socket.write(text, "latin1");
  });
}

/** The final answers of a connection; all of those that are asked here tell their lengths. */
function readAnswers(text: string): RawAnswer[] {
  const match = /^HTTP\/1\.[01] (\d{3})[^\r]*((?:\r\n[^\r]+)*)\r\n\r\n/.exec(text);
  if (match === null) return [];
  const [head, status = "", lines = ""] = match;
  const headers = Object.fromEntries(
    lines.split("\r\n").map((line) => [line.split(":")[0]?.toLowerCase() ?? "", line.replace(/^[^:]*: ?/, "")]),
  );
  const end = head.length + Number(headers["content-length"] ?? (status === "100" ? 0 : text.length));
  const body = text.slice(head.length, end);
  const rest = readAnswers(text.slice(end));
  return status === "100" ? rest : [{ status: Number(status), headers, body, ...codeOf(body) }, ...rest];
}

/** The code of an error, where there is one. */
export function codeOf(body: string): { code?: string } {
  const [, code] = /"code":"([a-z_]+)"/.exec(body) ?? [];
  return code === undefined ? {} : { code };
}

export interface RawRequest {
  readonly method?: string;
  readonly path?: string;
  readonly version?: string;
  readonly key?: string | undefined;
  readonly headers?: readonly string[];
  readonly body?: string;
  /** How the body's end is told: by its length, by chunks, or not at all. */
  readonly framing?: "length" | "chunked" | "none";
}

/** A request as it is sent, byte by byte as latin1. */
export function rawRequest({
  method = "POST",
  path = "/v1/chat/completions",
  version = "HTTP/1.1",
  key,
  headers = [],
  body = "",
  framing = "length",
}: RawRequest): string {
  const lines = [
    `${method} ${path} ${version}`,
    "Host: models.test",
    ...(key === undefined ? [] : [`Authorization: Bearer ${key}`]),
    ...headers,
    ...(framing === "length" ? [`Content-Length: ${body.length}`] : []),
    ...(framing === "chunked" ? ["Transfer-Encoding: chunked"] : []),
  ];
  return `${lines.join("\r\n")}\r\n\r\n${framing === "chunked" ? chunked(body) : body}`;
}

/** A body in one chunk, where it has any. */
export function chunked(body: string): string {
  const chunk = body === "" ? "" : `${body.length.toString(16)}\r\n${body}\r\n`;
  return `${chunk}0\r\n\r\n`;
}
