import { once } from "node:events";
import { createServer, request as send, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** Where an HTTP server is. */
export type Place = { readonly socketPath: string } | { readonly port: number };

/** What goes wrong with a request. */
export type Trouble =
  /** Answered by the proxy; what is behind it hears nothing. */
  | { readonly status: number; readonly body: string; readonly headers?: Readonly<Record<string, string>> }
  /** The connection breaks off: before the request is handed on, or instead of its answer. */
  | { readonly reset: "request" | "answer" }
  /** The answer breaks off after so many bytes of its body. */
  | { readonly truncateAt: number }
  /** The request is handed on later. */
  | { readonly slowSeconds: number }
  /** The request is handed on, and nothing comes back. */
  | { readonly mute: true };

export interface Fault {
  readonly trouble: Trouble;
  /** Of `METHOD /path?query`. Default: every request. */
  readonly requests?: RegExp;
  /** To so many requests, the first ones. Default: all. */
  readonly times?: number;
}

/** Stands before an HTTP server, such as a registry or a Docker Engine, and spoils what it is told to. */
export class FaultyProxy {
  readonly #server: Server;
  readonly #target: Place;
  #faults: { fault: Fault; left: number }[] = [];
  /** `METHOD /path?query` of each request, in the order in which they came. */
  readonly seen: string[] = [];
  /** Headers of each request. */
  readonly headers: IncomingMessage["headers"][] = [];

  private constructor(server: Server, target: Place) {
    this.#server = server;
    this.#target = target;
    server.on("request", (incoming, outgoing) => void this.#answer(incoming, outgoing));
  }

  /** @param at where it listens; port 0 for any */
  static async start(target: Place, at: Place = { port: 0 }): Promise<FaultyProxy> {
    const server = createServer();
    if ("socketPath" in at) server.listen(at.socketPath);
    else server.listen(at.port, "127.0.0.1");
    await once(server, "listening");
    return new FaultyProxy(server, target);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on these faults, and no others. */
  spoil(...faults: readonly Fault[]): void {
    this.#faults = faults.map((fault) => ({ fault, left: fault.times ?? Infinity }));
    this.seen.length = 0;
    this.headers.length = 0;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const name = `${incoming.method ?? ""} ${incoming.url ?? ""}`;
    this.seen.push(name);
    this.headers.push(incoming.headers);
    const trouble = this.#next(name) ?? { slowSeconds: 0 };
    outgoing.on("error", () => undefined);
    if ("status" in trouble) {
      incoming.resume();
      outgoing.writeHead(trouble.status, { "content-type": "application/json", ...trouble.headers }).end(trouble.body);
      return;
    }
    if ("reset" in trouble && trouble.reset === "request") return void incoming.socket.destroy();
    if ("slowSeconds" in trouble && trouble.slowSeconds > 0) await delay(trouble.slowSeconds * 1000);
    const { method, url: path, headers } = incoming;
    const handedOn = send({ ...this.#target, host: "127.0.0.1", method, path, headers }, (answer) => {
      if ("mute" in trouble) return void answer.resume();
      if ("reset" in trouble) return void answer.resume().on("end", () => incoming.socket.destroy());
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      if ("truncateAt" in trouble) passSome(answer, outgoing, trouble.truncateAt);
      else answer.pipe(outgoing);
    });
    handedOn.on("error", () => incoming.socket.destroy());
    outgoing.on("close", () => handedOn.destroy());
    incoming.pipe(handedOn);
  }

  #next(name: string): Trouble | undefined {
    const found = this.#faults.find(({ fault, left }) => left > 0 && (fault.requests ?? /^/).test(name));
    if (found === undefined) return undefined;
    found.left -= 1;
    return found.fault.trouble;
  }
}

function passSome(answer: IncomingMessage, outgoing: ServerResponse, bytes: number): void {
  let left = bytes;
  answer.on("data", (chunk: Buffer) => {
    if (left > 0) outgoing.write(chunk.subarray(0, left));
    left -= chunk.byteLength;
    if (left <= 0) setImmediate(() => outgoing.socket?.destroy());
  });
  answer.on("end", () => outgoing.socket?.destroy());
}
