import type { Readable } from "node:stream";

import { BerthError } from "../lib/errors.js";
import { SshConnections } from "./ssh-connection.js";
import { isConnectionLost } from "./ssh-failure.js";
import { commandScript, environmentName, shellScript } from "./ssh-script.js";
import { SshSessions, type SessionRequest, type SessionResult } from "./ssh-session.js";
import type { SshSettings, SshTarget } from "./ssh-target.js";
import { codeOfMessage, systemError } from "./system-message.js";

/** Most of an output that is kept, as for commands on this machine. */
const mostBytes = 64_000_000;

export interface Output extends SessionResult {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string | undefined;
  readonly input?: Uint8Array | undefined;
  readonly timeoutSeconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Takes standard output as it comes; the result has none of it then. */
  readonly onStdout?: ((bytes: Buffer) => void) | undefined;
}

export interface FileOptions {
  readonly input?: Uint8Array;
  /** Sent after the script, as it comes. When it fails, or when the script ends before it, it is destroyed. */
  readonly stream?: Readable;
  /** It may be done twice: a connection that was lost is made anew for it. */
  readonly again?: boolean;
  /** Exit codes that are an answer too. */
  readonly answers?: readonly number[];
}

/** A host's shell: commands in groups of their own, and scripts that do something with files. */
export class SshShell {
  readonly connections: SshConnections;
  readonly #sessions: SshSessions;
  readonly #silenceSeconds: number;

  constructor(target: SshTarget, settings: SshSettings) {
    this.connections = new SshConnections(target, settings);
    this.#sessions = new SshSessions(this.connections, settings.pace);
    this.#silenceSeconds = settings.pace.silenceSeconds;
  }

  get refusedSessions(): number {
    return this.#sessions.refused;
  }

  /** Runs a command once. What it has started ends with the connection, the signal, or its time. */
  command(argv: readonly string[], options: CommandOptions = {}): Promise<Output> {
    const { env = {}, cwd, input, timeoutSeconds, signal, onStdout } = options;
    assertEnvironment(env);
    const silenceSeconds = this.#silenceSeconds;
    return this.#collect(
      {
        length: "long",
        script: (nonce) => commandScript({ nonce, argv, env, cwd, inputBytes: input?.byteLength, silenceSeconds }),
        input,
        timeoutSeconds,
        signal,
      },
      onStdout,
    );
  }

  /** Runs a script on files; one that fails throws the system's error. The first word is the path. */
  async files(script: string, words: readonly [string, ...string[]], options: FileOptions = {}): Promise<Output> {
    const { input, stream, again = false, answers = [0] } = options;
    const length = stream === undefined ? "short" : "long";
    const request = { length, script: (nonce: string) => shellScript(nonce, script, words), input, stream } as const;
    const output = await this.#collect(request).catch((error: unknown) => {
      if (again && isConnectionLost(error)) return this.#collect(request);
      throw error;
    });
    if (answers.includes(output.exitCode)) return output;
    throw this.failure(words[0], output.exitCode, output.stderr);
  }

  /** The system's error that a tool tells of, or what else it says. */
  failure(path: string, exitCode: number, stderr: Buffer): Error {
    const said = stderr.toString("utf8");
    const code = codeOfMessage(said);
    if (code !== undefined) return systemError(code, path, said);
    return new BerthError("command-failed", {
      where: `host ${this.connections.target.name}: ${path}`,
      what: "the host's tools failed",
      got: `exit code ${exitCode}`,
      detail: said,
    });
  }

  async #collect(
    request: Omit<SessionRequest, "onStdout" | "onStderr">,
    onStdout?: (bytes: Buffer) => void,
  ): Promise<Output> {
    const tooMuch = new AbortController();
    const stdout = new Collector(tooMuch);
    const stderr = new Collector(tooMuch);
    const signal = request.signal === undefined ? tooMuch.signal : AbortSignal.any([request.signal, tooMuch.signal]);
    const result = await this.#sessions.run({
      ...request,
      signal,
      onStdout: onStdout ?? ((bytes) => stdout.write(bytes)),
      onStderr: (bytes) => stderr.write(bytes),
    });
    return { ...result, stdout: stdout.bytes, stderr: stderr.bytes };
  }
}

class Collector {
  readonly #chunks: Buffer[] = [];
  readonly #tooMuch: AbortController;
  #size = 0;

  constructor(tooMuch: AbortController) {
    this.#tooMuch = tooMuch;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  write(bytes: Buffer): void {
    this.#size += bytes.byteLength;
    if (this.#size <= mostBytes) this.#chunks.push(bytes);
    else this.#tooMuch.abort(new BerthError("command-failed", { what: `the output is more than ${mostBytes} bytes` }));
  }
}

function assertEnvironment(env: Readonly<Record<string, string>>): void {
  const bad = Object.keys(env).find((name) => !environmentName.test(name));
  if (bad === undefined) return;
  throw new BerthError("usage", {
    where: `environment variable ${bad}`,
    what: "a shell cannot hand on a variable of this name",
    expected: "letters, digits and underscores",
  });
}
