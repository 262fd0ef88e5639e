import type { Socket } from "node:net";
import type { Readable } from "node:stream";

import pRetry, { AbortError } from "p-retry";
import type { Pool } from "undici";
import { z } from "zod";

import { systemClock } from "../lib/clock.js";
import { withinSeconds } from "../lib/deadline.js";
import { BerthError, messageOf, systemCode } from "../lib/errors.js";
import { isAway, isPassing } from "./docker-failure.js";
import { DockerFault } from "./docker-fault.js";
import { isOlder } from "./docker-version.js";

/** How patient Berth is with an engine. */
export interface DockerPace {
  /** For the answer to a call, beyond what the engine is told to wait itself. */
  readonly callSeconds: number;
  /** A pull of which the engine says nothing for so long is given up. Large layers are verified in silence. */
  readonly silenceSeconds: number;
  /** An engine that has answered before and is gone is waited for: it may be about to be started again. */
  readonly restartSeconds: number;
  /** How often a call that may be done twice is tried again, and how long before the first time. */
  readonly retries: number;
  readonly firstWaitSeconds: number;
  /** The same for pulls, whose registries need more patience. */
  readonly pullRetries: number;
  readonly pullWaitSeconds: number;
}

export const defaultDockerPace: DockerPace = {
  callSeconds: 60,
  silenceSeconds: 300,
  restartSeconds: 45,
  retries: 3,
  firstWaitSeconds: 0.5,
  pullRetries: 4,
  pullWaitSeconds: 5,
};

export interface DockerCall {
  readonly method: "GET" | "POST" | "DELETE";
  /** Without the API's version: `/containers/json`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>> | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: unknown;
  /** A tar archive in the place of a body; one that is read is sent as it comes. */
  readonly archive?: Readable | Buffer | undefined;
  /** Answers that are no refusal, beside those of 200 to 299. */
  readonly answers?: readonly number[] | undefined;
  /** How long the engine is told to wait itself. */
  readonly waitSeconds?: number | undefined;
}

/** Makes a connection to the engine. */
export type ConnectToDocker = () => Promise<Socket>;

interface Answer {
  readonly status: number;
  readonly text: string;
}

const restartPollSeconds = 0.5;

/** Of Docker 20.10: the oldest that Berth is tested with. A newer engine answers in its words as long as it has it. */
const oldestVersion = "1.41";

const versions = z.object({
  Version: z.string(),
  ApiVersion: z.string(),
  MinAPIVersion: z.string().optional(),
  Components: z.array(z.object({ Name: z.string() })).nullish(),
});
const refusal = z.object({ message: z.string() });

/** The Engine API (https://docs.docker.com/reference/api/engine/) over a socket: versions, deadlines, retries. */
export class DockerApi {
  readonly pace: DockerPace;
  readonly #connect: ConnectToDocker;
  #pool: Promise<Pool> | undefined;
  #prefix: Promise<string> | undefined;
  /** Whether it is known to run: it has answered, and was not given up since. */
  #isKnown = false;

  constructor(connect: ConnectToDocker, pace: DockerPace) {
    this.pace = pace;
    this.#connect = connect;
  }

  async version(): Promise<z.output<typeof versions>> {
    const ask = () => this.#answer({ method: "GET", path: "/version" }, "");
    return read(versions, await this.#again(ask));
  }

  /** One that may be done twice: it is tried again when the connection broke off, or the engine failed. */
  repeat(call: DockerCall): Promise<Answer> {
    return this.#again(() => this.once(call));
  }

  once(call: DockerCall): Promise<Answer> {
    return this.#whenReached(async () => this.#answer(call, await this.prefix()));
  }

  async get<T>(schema: z.ZodType<T>, path: string, query?: DockerCall["query"]): Promise<T> {
    return read(schema, await this.repeat({ method: "GET", path, query }));
  }

  /** Reads an answer's body as it comes; as often as it breaks off, anew. */
  readStream<T>(call: DockerCall, take: (body: Readable) => Promise<T>): Promise<T> {
    const { callSeconds: seconds } = this.pace;
    const readOnce = async (signal: AbortSignal): Promise<T> => {
      const body = await this.stream(call, signal);
      return take(body).catch((error: unknown) => Promise.reject(lost(error, signal) as Error));
    };
    return this.#again(() => withinSeconds(seconds, readOnce, new DockerFault({ kind: "late", seconds })));
  }

  /** The body of an answer as it comes. */
  async stream(call: DockerCall, signal: AbortSignal): Promise<Readable> {
    const send = async () => this.#send(call, await this.prefix(), signal);
    const { status, body } = await this.#whenReached(send, signal);
    if (status < 300) return body;
    throw refused(status, await textOf(body));
  }

  /** Where the calls of the agreed version begin. */
  prefix(): Promise<string> {
    this.#prefix ??= this.#agree().catch((error: unknown) => {
      this.#prefix = undefined;
      throw error;
    });
    return this.#prefix;
  }

  async #agree(): Promise<string> {
    const { Version: engine, ApiVersion: newest, MinAPIVersion: oldest = oldestVersion } = await this.version();
    if (isOlder(newest, oldestVersion)) {
      throw new DockerFault({ kind: "tooOld", engine, api: newest, oldest: oldestVersion });
    }
    return `/v${isOlder(oldestVersion, oldest) ? oldest : oldestVersion}`;
  }

  /** Of what was never sent nothing can have been done, so any call may be tried again. */
  async #whenReached<T>(action: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const until = Date.now() + this.pace.restartSeconds * 1000;
    for (;;) {
      try {
        const result = await action();
        this.#isKnown = true;
        return result;
      } catch (error) {
        if (!(error instanceof DockerFault) || !isAway(error) || !this.#isKnown) throw error;
        if (Date.now() >= until) {
          this.#isKnown = false;
          throw error;
        }
        await systemClock.sleep(restartPollSeconds, signal);
      }
    }
  }

  #again<T>(action: () => Promise<T>): Promise<T> {
    const { retries, firstWaitSeconds } = this.pace;
    return pRetry(
      async () => {
        try {
          return await this.#whenReached(action);
        } catch (error) {
          if (error instanceof DockerFault && isPassing(error)) throw error;
          throw new AbortError(error as Error);
        }
      },
      { retries, minTimeout: firstWaitSeconds * 1000 },
    );
  }

  async #answer(call: DockerCall, prefix: string): Promise<Answer> {
    const seconds = this.pace.callSeconds + (call.waitSeconds ?? 0);
    const late = new DockerFault({ kind: "late", seconds });
    const ask = async (signal: AbortSignal): Promise<Answer> => {
      const { status, body } = await this.#send(call, prefix, signal);
      const text = await textOf(body);
      if (status < 300 || call.answers?.includes(status) === true) return { status, text };
      throw refused(status, text);
    };
    return withinSeconds(seconds, ask, late);
  }

  async #send({ method, path, query, headers, body, archive }: DockerCall, prefix: string, signal: AbortSignal) {
    const search = query === undefined ? "" : `?${new URLSearchParams(query).toString()}`;
    try {
      this.#pool ??= openPool(this.#connect);
      const response = await (
        await this.#pool
      ).request({
        method,
        path: `${prefix}${path}${search}`,
        headers: { ...typeOf(body, archive), ...headers },
        body: archive ?? (body === undefined ? null : JSON.stringify(body)),
        signal,
      });
      return { status: response.statusCode, body: response.body };
    } catch (error) {
      throw lost(error, signal);
    }
  }
}

function typeOf(body: unknown, archive: DockerCall["archive"]): Record<string, string> {
  if (archive !== undefined) return { "content-type": "application/x-tar" };
  return body === undefined ? {} : { "content-type": "application/json" };
}

/** Most runs ask no engine, and loading the client takes a while. */
async function openPool(connect: ConnectToDocker): Promise<Pool> {
  const { Pool } = await import("undici");
  return new Pool("http://docker", {
    // Time is told by the signal of each request.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: (_options, done) => {
      connect().then(
        (socket) => done(null, socket),
        (error: unknown) => done(unreached(error), null),
      );
    },
  });
}

/** What an engine says, in the words of a schema. */
export function read<T>(schema: z.ZodType<T>, { text }: Answer): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    const said = error instanceof z.ZodError ? z.prettifyError(error) : `no JSON: ${text.slice(0, 200)}`;
    throw new DockerFault({ kind: "unreadable", said }, error);
  }
}

/** What ends a request or its answer. An error of the host or of who asked stays as it is. */
export function lost(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof DockerFault || error instanceof BerthError) return error;
  return new DockerFault({ kind: "lost", said: messageOf(error) }, error);
}

async function textOf(body: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) chunks.push(chunk);
  } catch (error) {
    throw new DockerFault({ kind: "lost", said: messageOf(error) }, error);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function unreached(error: unknown): Error {
  const code = systemCode(error);
  if (error instanceof BerthError || code === undefined) return error as Error;
  return new DockerFault({ kind: "unreached", code }, error);
}

function refused(status: number, text: string): DockerFault {
  let message = text.trim().slice(0, 1000);
  try {
    ({ message } = refusal.parse(JSON.parse(text)));
  } catch {
    // Something on the way that has no JSON.
  }
  return new DockerFault({ kind: "refused", status, message });
}
