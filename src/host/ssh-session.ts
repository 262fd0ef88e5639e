import { setTimeout as delay } from "node:timers/promises";

import pLimit from "p-limit";

import { isRefusal } from "./ssh-child.js";
import { bootstrap } from "./shell-script.js";
import { ShellSession, type ShellEnding, type ShellRequest, type ShellResult } from "./shell-session.js";
import type { SshConnections } from "./ssh-connection.js";
import { connectionLost, sudoRefusal, tooManySessions, unreachable, unsuitableShell } from "./ssh-failure.js";
import type { SshPace } from "./ssh-target.js";

/** Something that a host's shell is to do, once. */
export interface SessionRequest extends ShellRequest {
  /** Told apart because sshd takes only ten sessions at once over a connection, by default. */
  readonly length: "short" | "long";
}

type Outcome =
  | { kind: "ended"; result: ShellResult }
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
  async run(request: SessionRequest): Promise<ShellResult> {
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
  async #runOn(first: number, request: SessionRequest): Promise<ShellResult> {
    let made = 0;
    let refusals = 0;
    for (;;) {
      const connection = first + (refusals % mostConnections);
      const generation = this.#connections.generation(connection);
      const outcome = await this.#attempt(connection, request);
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

  /** One ssh process that asks for one session. */
  async #attempt(connection: number, request: SessionRequest): Promise<Outcome> {
    const session = new ShellSession(request, this.#pace);
    const asRoot = this.#connections.target.sudo === "nonInteractive";
    const command = bootstrap(session.script.byteLength, asRoot);
    const child = await this.#connections.open(connection, { command });
    const ending = await session.run(child.process);
    if (ending.result !== undefined) return { kind: "ended", result: ending.result };
    if (await child.reachedNobody()) return { kind: isRefusal(ending.stderr) ? "refused" : "unconnected" };
    return this.#failed(ending);
  }

  #failed({ begun, timedOut, exitCode, stdout, stderr }: ShellEnding): Outcome {
    const { target } = this.#connections;
    if (begun || exitCode === undefined || exitCode === 255) {
      return { kind: "failed", error: connectionLost(target, stderr) };
    }
    // Its input ended before all of it was there, so nothing has begun.
    if (timedOut) return { kind: "ended", result: { exitCode, timedOut } };
    const said = `${stdout}\n${stderr}`.trim();
    return { kind: "failed", error: sudoRefusal(target, said) ?? unsuitableShell(target, exitCode, said) };
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
