import type { Readable } from "node:stream";

import { BerthError } from "../lib/errors.js";
import { collectOutput, type CommandOptions, type Output } from "./shell-output.js";
import { commandScript, environmentName, shellScript } from "./shell-script.js";
import { SshConnections } from "./ssh-connection.js";
import { isConnectionLost } from "./ssh-failure.js";
import { fileScripts } from "./ssh-files.js";
import { SshSessions } from "./ssh-session.js";
import type { SshSettings, SshTarget } from "./ssh-target.js";
import { failureOfTools } from "./system-message.js";
import type { DownloadShell } from "./tool-download.js";

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
export class SshShell implements DownloadShell {
  readonly connections: SshConnections;
  readonly #sessions: SshSessions;
  readonly #silenceSeconds: number;

  constructor(target: SshTarget, settings: SshSettings) {
    this.connections = new SshConnections(target, settings);
    this.#sessions = new SshSessions(this.connections, settings.pace);
    this.#silenceSeconds = settings.pace.silenceSeconds;
  }

  /** Its name in the stack. */
  get host(): string {
    return this.connections.target.name;
  }

  get refusedSessions(): number {
    return this.#sessions.refused;
  }

  /** Runs a command once. What it has started ends with the connection, the signal, or its time. */
  command(argv: readonly string[], options: CommandOptions = {}): Promise<Output> {
    const { env = {}, cwd, input, timeoutSeconds, signal, onStdout } = options;
    assertEnvironment(env);
    const silenceSeconds = this.#silenceSeconds;
    const script = (nonce: string) =>
      commandScript({ nonce, argv, env, cwd, inputBytes: input?.byteLength, silenceSeconds });
    return collectOutput({ signal, onStdout }, (streams) =>
      this.#sessions.run({ length: "long", script, input, timeoutSeconds, ...streams }),
    );
  }

  /** Runs a script on files; one that fails throws the system's error. The first word is the path. */
  async files(script: string, words: readonly [string, ...string[]], options: FileOptions = {}): Promise<Output> {
    const { input, stream, again = false, answers = [0] } = options;
    const length = stream === undefined ? "short" : "long";
    const request = { length, script: (nonce: string) => shellScript(nonce, script, words), input, stream } as const;
    const run = () => collectOutput({}, (streams) => this.#sessions.run({ ...request, ...streams }));
    const output = await run().catch((error: unknown) => {
      if (again && isConnectionLost(error)) return run();
      throw error;
    });
    if (answers.includes(output.exitCode)) return output;
    throw this.failure(words[0], output.exitCode, output.stderr);
  }

  async cutFile(path: string, sizeBytes: number): Promise<void> {
    await this.files(fileScripts.cut, [path, String(sizeBytes)], { again: true });
  }

  failure(path: string, exitCode: number, stderr: Buffer): Error {
    return failureOfTools(this.host, path, exitCode, stderr.toString("utf8"));
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
