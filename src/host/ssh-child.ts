import { randomBytes } from "node:crypto";
import { rm, stat } from "node:fs/promises";

import { execa } from "execa";

import { sessionArguments, type SshSettings, type SshTarget } from "./ssh-target.js";

export type SshPurpose = { readonly command: string } | { readonly forward: string };

/** One ssh process that uses a connection for a command, or for a stream to a port of the host. */
export class SshChild {
  readonly process: ReturnType<typeof start>;
  readonly #unconnected: string;

  constructor(target: SshTarget, settings: SshSettings, socket: string, purpose: SshPurpose) {
    this.#unconnected = `${socket}.${randomBytes(6).toString("hex")}`;
    const forward = "forward" in purpose ? purpose.forward : undefined;
    const args = sessionArguments(target, socket, this.#unconnected, forward);
    this.process = start("command" in purpose ? [...args, purpose.command] : args, settings.environment);
    // A peer that is gone does not read: that shows in the result.
    this.process.stdin.on("error", () => undefined);
  }

  /** Whether it is certain, once the process has ended, that nothing was sent to the host. */
  async reachedNobody(): Promise<boolean> {
    const reached = await stat(this.#unconnected).then(
      () => false,
      () => true,
    );
    if (!reached) await rm(this.#unconnected, { force: true });
    return !reached;
  }
}

function start(args: readonly string[], environment: Readonly<Record<string, string>>) {
  return execa("ssh", args, {
    // The shell is for what tells that nobody was reached.
    env: { ...environment, LC_ALL: "C", SHELL: "/bin/sh" },
    extendEnv: false,
    stdin: "pipe",
    buffer: false,
    // Not of the terminal's process group: what runs on the host ends when we say so.
    detached: true,
    reject: false,
  });
}

/** Whether ssh says that there is a connection, but the host refused what was asked for over it. */
export function isRefusal(said: string): boolean {
  return /refused by peer|request failed/.test(said);
}
