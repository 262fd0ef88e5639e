import { randomBytes } from "node:crypto";
import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";

import pLimit from "p-limit";

import { isRefusal, type SshChild } from "./ssh-child.js";
import type { SshConnections } from "./ssh-connection.js";
import { connectionLost, sudoRefusal, tooManySessions, unreachable, unsuitableShell } from "./ssh-failure.js";
import { FramedOutput } from "./ssh-frame.js";
import { bootstrap } from "./ssh-script.js";
import type { SshPace } from "./ssh-target.js";

/** Something that a host's shell is to do, once. */
export interface SessionRequest {
  /** Told apart because sshd takes only ten sessions at once over a connection, by default. */
  readonly length: "short" | "long";
  readonly script: (nonce: string) => string;
  readonly input?: Uint8Array | undefined;
  /** Follows the input once the script has begun, so not before somebody reads it, and not twice. */
  readonly stream?: Readable | undefined;
  readonly timeoutSeconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onStdout: (bytes: Buffer) => void;
  readonly onStderr: (bytes: Buffer) => void;
}

export interface SessionResult {
  readonly exitCode: number;
  /** Whether it was ended because its time was over. */
  readonly timedOut: boolean;
}

type Outcome =
  | { kind: "ended"; result: SessionResult }
  /** Nothing reached the host. */
  | { kind: "unconnected" }
  /** The host takes no further session over this connection. */
  | { kind: "refused" }
  | { kind: "failed"; error: Error };

const shortAtOnce = 4;
const longAtOnce = 5;
/** Most connections that are tried when sessions are refused. */
const mostConnections = 4;
const refusalWaitsSeconds = [0.2, 0.5, 1, 2, 4, 8];

/** Runs scripts on a host, each once, over connections that are made when they are needed. */
export class SshSessions {
  readonly #connections: SshConnections;
  readonly #pace: SshPace;
  readonly #short = pLimit(shortAtOnce);
  readonly #long = new Map<number, number>();
  #refused = 0;

  constructor(connections: SshConnections, pace: SshPace) {
    this.#connections = connections;
    this.#pace = pace;
  }

  /** How often a connection took no further session. */
  get refused(): number {
    return this.#refused;
  }

  /** Resolves when the script has ended. Throws `host-unreachable` when it is not known how; it runs once at most. */
  async run(request: SessionRequest): Promise<SessionResult> {
    request.signal?.throwIfAborted();
    if (request.length === "short") return this.#short(() => this.#runOn(0, request));
    let connection = 0;
    while ((this.#long.get(connection) ?? 0) >= longAtOnce) connection += 1;
    this.#long.set(connection, (this.#long.get(connection) ?? 0) + 1);
    try {
      return await this.#runOn(connection, request);
    } finally {
      this.#long.set(connection, (this.#long.get(connection) ?? 1) - 1);
    }
  }

  /** Does an action over a connection, which is made first where there is none. */
  async #runOn(first: number, request: SessionRequest): Promise<SessionResult> {
    let made = 0;
    let refusals = 0;
    for (;;) {
      const connection = first + (refusals % mostConnections);
      const generation = this.#connections.generation(connection);
      const outcome = await new Attempt(this.#connections, this.#pace, request).run(connection);
      request.signal?.throwIfAborted();
      if (outcome.kind === "ended") return outcome.result;
      if (outcome.kind === "failed") throw outcome.error;
      if (outcome.kind === "unconnected") {
        // One that ends as soon as it is made helps nobody.
        if (made === mostConnections)
          throw unreachable(this.#connections.target, "connections to the host end at once");
        made += 1;
        await untilAborted(this.#connections.establish(connection, generation), request.signal);
        continue;
      }
      refusals += 1;
      this.#refused += 1;
      if (refusals % mostConnections !== 0) continue;
      const seconds = refusalWaitsSeconds[refusals / mostConnections - 1];
      if (seconds === undefined) throw tooManySessions(this.#connections.target);
      await delay(seconds * 1000);
      request.signal?.throwIfAborted();
    }
  }
}

/** One ssh process that asks for one session. */
class Attempt {
  readonly #connections: SshConnections;
  readonly #pace: SshPace;
  readonly #request: SessionRequest;
  readonly #nonce = randomBytes(16).toString("hex");
  readonly #stdout: FramedOutput;
  readonly #stderr: FramedOutput;
  #timedOut = false;
  #streams = false;

  constructor(connections: SshConnections, pace: SshPace, request: SessionRequest) {
    this.#connections = connections;
    this.#pace = pace;
    this.#request = request;
    this.#stdout = new FramedOutput(this.#nonce, request.onStdout);
    this.#stderr = new FramedOutput(this.#nonce, request.onStderr);
  }

  async run(connection: number): Promise<Outcome> {
    const script = Buffer.from(this.#request.script(this.#nonce));
    const asRoot = this.#connections.target.sudo === "nonInteractive";
    const child = await this.#connections.open(connection, { command: bootstrap(script.byteLength, asRoot) });
    child.process.stdout.on("data", (bytes: Buffer) => {
      this.#stdout.write(bytes);
      if (this.#stdout.begun) this.#stream(child.process.stdin);
    });
    child.process.stderr.on("data", (bytes: Buffer) => this.#stderr.write(bytes));
    child.process.stdin.write(script);
    if (this.#request.input !== undefined) child.process.stdin.write(this.#request.input);
    const exitCode = await this.#watch(child.process);
    this.#stdout.end();
    this.#stderr.end();
    const ended = this.#stderr.exitCode;
    if (ended !== undefined && this.#stdout.exitCode !== undefined) {
      return { kind: "ended", result: { exitCode: ended, timedOut: this.#timedOut } };
    }
    if (await child.reachedNobody()) return { kind: isRefusal(this.#stderr.rest) ? "refused" : "unconnected" };
    return this.#failed(exitCode);
  }

  #stream(stdin: Writable): void {
    const { stream } = this.#request;
    if (stream === undefined || this.#streams) return;
    this.#streams = true;
    // Its own error its owner knows; that the script has ended shows in the result.
    pipeline(stream, stdin).catch(() => undefined);
  }

  #failed(exitCode: number | undefined): Outcome {
    const { target } = this.#connections;
    if (this.#stderr.begun || exitCode === undefined || exitCode === 255) {
      return { kind: "failed", error: connectionLost(target, this.#stderr.rest) };
    }
    // Its input ended before all of it was there, so nothing has begun.
    if (this.#timedOut) return { kind: "ended", result: { exitCode, timedOut: true } };
    const said = `${this.#stdout.rest}\n${this.#stderr.rest}`.trim();
    return { kind: "failed", error: sudoRefusal(target, said) ?? unsuitableShell(target, exitCode, said) };
  }

  /** Waits for the end of the session. Ends what runs on the host when it is to end, by ending its input. */
  async #watch(child: SshChild["process"]): Promise<number | undefined> {
    const { signal, timeoutSeconds } = this.#request;
    let patience: NodeJS.Timeout | undefined;
    const end = (): void => {
      clearInterval(signs);
      // Input that was not sent yet would come before the end.
      if (child.stdin.writableLength > 0) child.stdin.destroy();
      else child.stdin.end();
      patience ??= setTimeout(() => child.kill("SIGKILL"), this.#pace.endSeconds * 1000);
    };
    const onTime = (): void => {
      this.#timedOut = true;
      end();
    };
    const timer = timeoutSeconds === undefined ? undefined : setTimeout(onTime, timeoutSeconds * 1000);
    const sign = (): void => {
      if (this.#request.stream === undefined) child.stdin.write("\n");
    };
    const signs = setInterval(sign, (this.#pace.silenceSeconds / 4) * 1000);
    signal?.addEventListener("abort", end, { once: true });
    try {
      return (await child).exitCode;
    } finally {
      signal?.removeEventListener("abort", end);
      clearTimeout(timer);
      clearTimeout(patience);
      clearInterval(signs);
    }
  }
}

/** What others wait for too goes on when one of them is not interested any more. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
