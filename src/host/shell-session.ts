import { randomBytes } from "node:crypto";
import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";

import { FramedOutput } from "./framed-output.js";

/** Something that a shell is to do, once. */
export interface ShellRequest {
  readonly script: (nonce: string) => string;
  readonly input?: Uint8Array | undefined;
  /** Follows the input once the script has begun, so not before somebody reads it, and not twice. */
  readonly stream?: Readable | undefined;
  readonly timeoutSeconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onStdout: (bytes: Buffer) => void;
  readonly onStderr: (bytes: Buffer) => void;
}

export interface ShellResult {
  readonly exitCode: number;
  /** Whether it was ended because its time was over. */
  readonly timedOut: boolean;
}

export interface ShellPace {
  /** A command ends when it has not heard of us for so long. */
  readonly silenceSeconds: number;
  /** For a command to end that was told to. Its group is killed after 5 s. */
  readonly endSeconds: number;
}

/** The process that a shell is, or that leads to one. It resolves when it has ended. */
export interface ShellProcess extends PromiseLike<{ readonly exitCode?: number | undefined }> {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  kill(signal: "SIGKILL"): boolean;
}

/** How a session ended. */
export interface ShellEnding {
  /** Undefined when it is not known how what was asked for ended. */
  readonly result: ShellResult | undefined;
  /** Whether what was asked for had begun. */
  readonly begun: boolean;
  readonly timedOut: boolean;
  /** Of the process; undefined when a signal ended it. */
  readonly exitCode: number | undefined;
  /** What was said beside what was asked for. */
  readonly stdout: string;
  readonly stderr: string;
}

/** Has a shell, which `bootstrap` made read its script from standard input, do one request. */
export class ShellSession {
  /** What the shell reads first. */
  readonly script: Buffer;
  readonly #request: ShellRequest;
  readonly #pace: ShellPace;
  readonly #stdout: FramedOutput;
  readonly #stderr: FramedOutput;
  #timedOut = false;
  #streams = false;

  constructor(request: ShellRequest, pace: ShellPace) {
    const nonce = randomBytes(16).toString("hex");
    this.script = Buffer.from(request.script(nonce));
    this.#request = request;
    this.#pace = pace;
    this.#stdout = new FramedOutput(nonce, request.onStdout);
    this.#stderr = new FramedOutput(nonce, request.onStderr);
  }

  async run(child: ShellProcess): Promise<ShellEnding> {
    child.stdout.on("data", (bytes: Buffer) => {
      this.#stdout.write(bytes);
      if (this.#stdout.begun) this.#stream(child.stdin);
    });
    child.stderr.on("data", (bytes: Buffer) => this.#stderr.write(bytes));
    child.stdin.write(this.script);
    if (this.#request.input !== undefined) child.stdin.write(this.#request.input);
    const exitCode = await this.#watch(child);
    this.#stdout.end();
    this.#stderr.end();
    const timedOut = this.#timedOut;
    const ended = this.#stdout.exitCode === undefined ? undefined : this.#stderr.exitCode;
    return {
      result: ended === undefined ? undefined : { exitCode: ended, timedOut },
      begun: this.#stderr.begun,
      timedOut,
      exitCode,
      stdout: this.#stdout.rest,
      stderr: this.#stderr.rest,
    };
  }

  #stream(stdin: Writable): void {
    const { stream } = this.#request;
    if (stream === undefined || this.#streams) return;
    this.#streams = true;
    // Its own error its owner knows; that the script has ended shows in the result.
    pipeline(stream, stdin).catch(() => undefined);
  }

  /** Waits for the end of the session. Ends what the shell runs when it is to end, by ending its input. */
  async #watch(child: ShellProcess): Promise<number | undefined> {
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
