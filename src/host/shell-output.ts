import { BerthError } from "../lib/errors.js";
import type { ShellRequest, ShellResult } from "./shell-session.js";

/** Most of an output that is kept, as for commands on this machine. */
const mostBytes = 64_000_000;

export interface Output extends ShellResult {
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

/** Keeps what a shell says while it does something. One that says too much is ended. */
export async function collectOutput(
  { signal, onStdout }: Pick<CommandOptions, "signal" | "onStdout">,
  run: (streams: Pick<ShellRequest, "signal" | "onStdout" | "onStderr">) => Promise<ShellResult>,
): Promise<Output> {
  const tooMuch = new AbortController();
  const stdout = new Collector(tooMuch);
  const stderr = new Collector(tooMuch);
  const result = await run({
    signal: signal === undefined ? tooMuch.signal : AbortSignal.any([signal, tooMuch.signal]),
    onStdout: onStdout ?? ((bytes) => stdout.write(bytes)),
    onStderr: (bytes) => stderr.write(bytes),
  });
  return { ...result, stdout: stdout.bytes, stderr: stderr.bytes };
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
