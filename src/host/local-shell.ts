import { execa } from "execa";

import { BerthError } from "../lib/errors.js";
import { collectOutput, type Output } from "./shell-output.js";
import { bootstrap, commandScript } from "./shell-script.js";
import { ShellSession, type ShellRequest, type ShellResult } from "./shell-session.js";
import { failureOfTools } from "./system-message.js";
import type { DownloadCommandOptions, DownloadShell } from "./tool-download.js";
import { cutScript } from "./transfer-script.js";

/** The pipe to the shell ends with this process, however that ends, so its silence tells nothing. */
const pace = { silenceSeconds: 24 * 3600, endSeconds: 15 };

/** This machine's `/bin/sh`. What it runs ends when this process does, even when it is killed. */
export class LocalShell implements DownloadShell {
  readonly #environment: Readonly<Record<string, string>>;

  constructor(
    readonly host: string,
    environment: Readonly<Record<string, string>>,
  ) {
    this.#environment = environment;
  }

  /** Throws `host-unsuitable` where there is no such shell, or it lacks what every system has. */
  command(argv: readonly string[], { env = {}, input, signal, onStdout }: DownloadCommandOptions): Promise<Output> {
    const inputBytes = input?.byteLength;
    const script = (nonce: string) => commandScript({ nonce, argv, env, cwd: undefined, inputBytes, ...pace });
    return collectOutput({ signal, onStdout }, (streams) => this.#run({ script, input, ...streams }));
  }

  async cutFile(path: string, sizeBytes: number): Promise<void> {
    const { exitCode, stderr } = await this.command(["/bin/sh", "-c", cutScript, "sh", path, String(sizeBytes)], {});
    if (exitCode !== 0) throw failureOfTools(this.host, path, exitCode, stderr.toString("utf8"));
  }

  async #run(request: ShellRequest): Promise<ShellResult> {
    request.signal?.throwIfAborted();
    const session = new ShellSession(request, pace);
    const child = execa("/bin/sh", ["-c", bootstrap(session.script.byteLength)], {
      env: this.#environment,
      extendEnv: false,
      stdin: "pipe",
      buffer: false,
      // Not of the terminal's process group: what it runs ends when we say so.
      detached: true,
      reject: false,
    });
    // One that ended early does not read: that shows in its result.
    child.stdin.on("error", () => undefined);
    const { result, begun, exitCode, stderr } = await session.run(child);
    request.signal?.throwIfAborted();
    if (result !== undefined) return result;
    if (begun) throw new Error("/bin/sh was ended");
    throw new BerthError("host-unsuitable", {
      where: `host ${this.host}`,
      what: "commands cannot be run by /bin/sh",
      got: exitCode === undefined ? "it did not end by itself" : `exit code ${exitCode}`,
      expected: "a /bin/sh with dd, mktemp and the other tools of POSIX",
      detail: stderr,
    });
  }
}
