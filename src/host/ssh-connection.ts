import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { lstat, mkdir, readFile, rename, rm } from "node:fs/promises";
import type { Writable } from "node:stream";

import { execa } from "execa";
import pRetry, { AbortError } from "p-retry";

import { BerthError } from "../lib/errors.js";
import { SshChild, type SshPurpose } from "./ssh-child.js";
import { isPassing, loginFailure, unreachable } from "./ssh-failure.js";
import {
  controlArguments,
  controlPath,
  forwardArguments,
  forwardedPath,
  longestControlPath,
  masterArguments,
} from "./ssh-target.js";
import type { SshSettings, SshTarget } from "./ssh-target.js";

interface SshExit {
  readonly exitCode?: number | undefined;
  readonly timedOut: boolean;
}

/**
 * The connections to a host: ssh processes in the background that all processes of the user share by their sockets,
 * and that end some time after the last session. Normally it is one. Each has a number.
 */
export class SshConnections {
  readonly target: SshTarget;
  readonly #settings: SshSettings;
  readonly #logins = new Map<number, Promise<void>>();
  readonly #generations = new Map<number, number>();
  readonly #used = new Set<number>();
  readonly #forwarded = new Set<string>();

  constructor(target: SshTarget, settings: SshSettings) {
    this.target = target;
    this.#settings = settings;
  }

  /** Starts something over a connection, whether there is one or not. */
  async open(connection: number, purpose: SshPurpose): Promise<SshChild> {
    const socket = this.#socket(connection);
    if (Buffer.byteLength(socket) > longestControlPath) throw pathTooLong(socket);
    await preparePrivateFolder(this.#settings.folder);
    this.#used.add(connection);
    return new SshChild(this.target, this.#settings, socket, purpose);
  }

  async isAlive(connection: number): Promise<boolean> {
    return (await this.#control(connection, "check")).exitCode === 0;
  }

  /** Has a connection that is there lead a socket of this machine to one of the host. False when it cannot. */
  async forward(connection: number, path: string): Promise<boolean> {
    this.#used.add(connection);
    this.#forwarded.add(this.forwardedSocket(connection, path));
    return (await this.#forward(connection, path, "forward")).exitCode === 0;
  }

  async endForward(connection: number, path: string): Promise<void> {
    await this.#forward(connection, path, "cancel");
  }

  /** The socket of this machine that leads to one of the host, the same for all processes. */
  forwardedSocket(connection: number, path: string): string {
    return forwardedPath(this.#socket(connection), path);
  }

  /** Counts how often this process has made the connection. */
  generation(connection: number): number {
    return this.#generations.get(connection) ?? 0;
  }

  /** Makes a connection, unless it was made anew since the given generation. Sessions that ask at once share it. */
  async establish(connection: number, generation: number): Promise<void> {
    if (this.generation(connection) > generation) return;
    let login = this.#logins.get(connection);
    if (login === undefined) {
      login = this.#login(connection).finally(() => this.#logins.delete(connection));
      this.#logins.set(connection, login);
    }
    await login;
  }

  /** Ends the connections that this process has used, each with its last session. Others are made when needed. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#logins.values());
    for (const connection of this.#used) {
      await this.#control(connection, "stop");
      await rm(this.#socket(connection), { force: true });
    }
    for (const socket of this.#forwarded) await rm(socket, { force: true });
    this.#used.clear();
    this.#forwarded.clear();
  }

  #socket(connection: number): string {
    return controlPath(this.#settings.folder, this.target, connection);
  }

  #control(connection: number, request: "check" | "stop"): Promise<SshExit> {
    return this.#ssh(controlArguments(this.target, this.#socket(connection), request), "ignore");
  }

  #forward(connection: number, path: string, request: "forward" | "cancel"): Promise<SshExit> {
    const forward = { from: this.forwardedSocket(connection, path), to: path };
    return this.#ssh(forwardArguments(this.target, this.#socket(connection), request, forward), "ignore");
  }

  async #login(connection: number): Promise<void> {
    const socket = this.#socket(connection);
    const { retries, firstWaitSeconds } = this.#settings.pace;
    await pRetry(() => this.#connect(socket), { retries, minTimeout: firstWaitSeconds * 1000 });
    this.#generations.set(connection, this.generation(connection) + 1);
  }

  /**
   * Each try has a socket of its own that gets the common name when it works. So of two processes that connect at once
   * neither disturbs the other: the later one's stays, and the other connection ends when it is idle.
   */
  async #connect(socket: string): Promise<void> {
    const own = `${socket}.${randomBytes(3).toString("hex")}`;
    const log = `${own}.log`;
    // A file, because the connection in the background would keep a pipe open.
    const file = createWriteStream(log, { flags: "wx", mode: 0o600 });
    await once(file, "open");
    try {
      const { exitCode, timedOut } = await this.#ssh(masterArguments(this.target, own, this.#settings.pace), file);
      if (exitCode === 0) {
        await rename(own, socket);
        return;
      }
      const said = await readFile(log, "utf8");
      if (timedOut) {
        const { loginSeconds } = this.#settings.pace;
        throw new AbortError(unreachable(this.target, `the host did not answer within ${loginSeconds} s`, said));
      }
      const failure = loginFailure(this.target, said);
      throw isPassing(said) && failure.code === "host-unreachable" ? failure : new AbortError(failure);
    } finally {
      file.close();
      await rm(log, { force: true });
    }
  }

  async #ssh(args: string[], stderr: Writable | "ignore"): Promise<SshExit> {
    const { environment, pace } = this.#settings;
    const result = await execa("ssh", args, {
      env: { ...environment, LC_ALL: "C" },
      extendEnv: false,
      stdin: "ignore",
      stdout: "ignore",
      stderr,
      // Not of the terminal's process group, so that a person who interrupts does not cut a connection off.
      detached: true,
      reject: false,
      timeout: pace.loginSeconds * 1000,
      forceKillAfterDelay: 1000,
    });
    if (result.code === "ENOENT") throw new AbortError(missingSsh(this.target));
    return result;
  }
}

async function preparePrivateFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const status = await lstat(folder);
  if (status.isDirectory() && status.uid === process.getuid?.() && (status.mode & 0o077) === 0) return;
  throw new BerthError("host-foreign", {
    where: folder,
    what: "the folder for ssh's sockets is not private to this user",
    hint: "find out who made it, and delete it",
  });
}

function pathTooLong(socket: string): BerthError {
  return new BerthError("usage", {
    where: socket,
    what: "the path of ssh's socket is too long for the system",
    got: `${Buffer.byteLength(socket)} bytes`,
    expected: `at most ${longestControlPath} bytes`,
    hint: "set XDG_RUNTIME_DIR to a folder with a short path",
  });
}

function missingSsh(target: SshTarget): BerthError {
  return new BerthError("host-unreachable", {
    where: `host ${target.name}`,
    what: "this machine has no ssh",
    hint: "install OpenSSH's client",
  });
}
