import type { IncomingMessage, ServerResponse } from "node:http";

import { serveFiles, type FileServer } from "./file-server.js";

/** Answers one request; `from` is where the range that was asked for begins. */
export type Behaviour = (response: ServerResponse, from: number) => void;

/** A web server with one file that misbehaves as it is told. */
export class HostileServer {
  /** The ranges that were asked for, one a request, since the last `answer`. */
  readonly ranges: (string | undefined)[] = [];
  /** What was sent as `authorization`, one a request, since the last `answer`. */
  readonly authorizations: (string | undefined)[] = [];
  #behaviours: readonly Behaviour[] = [];

  private constructor(
    private readonly server: FileServer,
    readonly url: string,
  ) {}

  static async start(): Promise<HostileServer> {
    const files: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {};
    const server = await serveFiles(files);
    const hostile = new HostileServer(server, server.url("/file"));
    files["/file"] = (request, response) => hostile.#behave(request, response);
    return hostile;
  }

  /** Each request gets the next of these, and then the last; returns the file's address. */
  answer(...behaviours: readonly Behaviour[]): string {
    this.#behaviours = behaviours;
    this.ranges.length = 0;
    this.authorizations.length = 0;
    return this.url;
  }

  close(): Promise<void> {
    return this.server.close();
  }

  #behave(request: IncomingMessage, response: ServerResponse): void {
    const next = this.#behaviours[Math.min(this.ranges.length, this.#behaviours.length - 1)];
    this.ranges.push(request.headers.range);
    this.authorizations.push(request.headers.authorization);
    next?.(response, Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0));
  }
}

/** The file as it is, whatever range was asked for. */
export function whole(content: Buffer, type = "application/octet-stream"): Behaviour {
  return (response) => response.writeHead(200, { "content-length": content.length, "content-type": type }).end(content);
}

/** The range that was asked for. */
export function ranges(content: Buffer): Behaviour {
  const size = content.length;
  return (response, from) => {
    if (from === 0) whole(content)(response, from);
    else if (from >= size) response.writeHead(416, { "content-range": `bytes */${size}` }).end();
    else sendPart(response, content.subarray(from), `bytes ${from}-${size - 1}/${size}`).end(content.subarray(from));
  };
}

/** The beginning of the file, as if it were the range that was asked for. */
/** As by `ranges`, by a server that tells no size. */
export function chunked(content: Buffer): Behaviour {
  return (response, begin) => {
    if (begin === 0) response.writeHead(200);
    else response.writeHead(206, { "content-range": `bytes ${begin}-${content.length - 1}/*` });
    response.end(content.subarray(begin));
  };
}

export function wrongRange(content: Buffer): Behaviour {
  const { length } = content;
  return (response) => sendPart(response, content, `bytes 0-${length - 1}/${length}`).end(content);
}

export function status(code: number, body = ""): Behaviour {
  return (response) => response.writeHead(code).end(body);
}

/** Sends so many bytes of the range, tells of all, and closes the connection. */
export function breakOff(content: Buffer, bytes: number): Behaviour {
  return (response, from) => {
    const rest = content.subarray(from);
    if (from === 0) response.writeHead(200, { "content-length": content.length });
    else sendPart(response, rest, `bytes ${from}-${content.length - 1}/${content.length}`);
    response.write(rest.subarray(0, bytes), () => setTimeout(() => response.destroy(), 50));
  };
}

/** Sends and sends, and tells no length. */
export function endless(): Behaviour {
  const chunk = Buffer.alloc(1 << 16, "x");
  return (response) => {
    response.writeHead(200);
    const send = () => {
      while (!response.destroyed && response.write(chunk));
    };
    response.on("drain", send);
    send();
  };
}

/** A byte now and then. */
export function drip(content: Buffer, milliseconds = 20): Behaviour {
  return (response) => {
    response.writeHead(200, { "content-length": content.length });
    let sent = 0;
    const timer = setInterval(() => response.write(content.subarray(sent, (sent += 1))), milliseconds);
    response.on("close", () => clearInterval(timer));
  };
}

/** Sends the beginning, and then nothing more. */
export function stall(content: Buffer, bytes: number): Behaviour {
  return (response) => {
    response.writeHead(200, { "content-length": content.length }).write(content.subarray(0, bytes));
  };
}

export function redirect(to: string): Behaviour {
  return (response) => response.writeHead(302, { location: to }).end();
}

function sendPart(response: ServerResponse, part: Buffer, range: string): ServerResponse {
  return response.writeHead(206, { "content-range": range, "content-length": part.length });
}
