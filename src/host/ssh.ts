import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { posix } from "node:path";

import { systemCode } from "../lib/errors.js";
import { downloadFile } from "./download.js";
import { parseDigest } from "./file-digest.js";
import type { DownloadOptions, FileStatus, Host, HttpAnswer, HttpRequest, RunOptions, RunResult } from "./host.js";
import { LineSplitter } from "./line-splitter.js";
import type { PartFile } from "./part-file.js";
import { parseListeningPorts } from "./ports.js";
import { fileScripts, parseAvailable, parseList, parseProcesses, parseStatus, parseWalk } from "./ssh-files.js";
import { PushedPart } from "./ssh-push.js";
import { requestOver } from "./ssh-request.js";
import { SshShell } from "./ssh-shell.js";
import { openSocketOver } from "./ssh-socket.js";
import type { SshSettings, SshTarget } from "./ssh-target.js";
import { downloadByTool } from "./tool-download.js";
import { defaultPace, type DownloadPace } from "./transfer-watch.js";

/** Of a command whose lines are handed on, so many are kept for its result. */
const keptLines = 1000;
const absentCodes = ["ENOENT", "ENOTDIR"];
const notALink = 3;

export interface SshOptions {
  readonly pace?: DownloadPace;
  readonly downloads?: "host" | "push" | undefined;
}

/**
 * Another machine as a host, over the system's `ssh` (`docs/decisions/0010-ssh.md`). Each operation is one session over
 * a connection that processes share; what reads is done again when the connection was lost, and nothing else. Beside
 * what every host throws: `host-unreachable`, `host-key-unknown`, `host-key-mismatch`, `host-login-refused`.
 */
export class SshHost implements Host {
  readonly #pace: DownloadPace;
  readonly #downloads: "host" | "push";
  readonly #shell: SshShell;
  /** The same without sudo. */
  readonly #login: SshShell;

  /** @param options.downloads `push`: this machine fetches, and sends to the host */
  constructor(target: SshTarget, settings: SshSettings, { pace = defaultPace, downloads = "host" }: SshOptions = {}) {
    this.#pace = pace;
    this.#downloads = downloads;
    this.#shell = new SshShell(target, settings);
    const { sudo = "none", ...login } = target;
    this.#login = sudo === "none" ? this.#shell : new SshShell(login, settings);
  }

  get name(): string {
    return this.#shell.connections.target.name;
  }

  /** How often sshd refused a session over a connection, so that another was made. */
  get refusedSessions(): number {
    return this.#shell.refusedSessions;
  }

  /** Ends the connection with its last session. The next operation makes a new one. */
  async close(): Promise<void> {
    await this.#shell.connections.close();
    await this.#login.connections.close();
  }

  async run(argv: readonly [string, ...string[]], options: RunOptions = {}): Promise<RunResult> {
    const { onLine, input, ...others } = options;
    const last: string[] = [];
    const splitter = new LineSplitter((line) => {
      onLine?.(line);
      last.push(line);
      if (last.length > keptLines) last.shift();
    });
    const result = await this.#shell.command(argv, {
      ...others,
      ...(input === undefined ? {} : { input: Buffer.from(input) }),
      ...(onLine === undefined ? {} : { onStdout: (bytes) => splitter.write(bytes) }),
    });
    splitter.end();
    return {
      exitCode: result.timedOut ? 124 : result.exitCode,
      stdout: onLine === undefined ? withoutFinalNewline(result.stdout) : last.join("\n"),
      stderr: withoutFinalNewline(result.stderr),
    };
  }

  async readText(path: string): Promise<string | undefined> {
    return absentAsUndefined(this.#read(fileScripts.read, path));
  }

  async writeFile(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
    const input = Buffer.from(content);
    const words = [path, temporaryName(path), mode.toString(8), String(input.byteLength)] as const;
    await this.#shell.files(fileScripts.write, [...words], { input });
  }

  async createFile(path: string, content: string): Promise<boolean> {
    const input = Buffer.from(content);
    const words = [path, temporaryName(path), "600", String(input.byteLength)] as const;
    try {
      await this.#shell.files(fileScripts.create, [...words], { input });
      return true;
    } catch (error) {
      if (systemCode(error) === "EEXIST") return false;
      throw error;
    }
  }

  async makeDirectory(path: string, mode = 0o755): Promise<void> {
    await this.#shell.files(fileScripts.makeDirectory, [path, (0o777 & ~mode).toString(8)], { again: true });
  }

  async remove(path: string): Promise<void> {
    await this.#shell.files(fileScripts.remove, [path], { again: true });
  }

  async removeIfEmpty(path: string): Promise<void> {
    try {
      await this.#shell.files(fileScripts.removeIfEmpty, [path], { again: true });
    } catch (error) {
      // A mount point, or a folder in one that is not ours, stays.
      const stays = ["ENOENT", "ENOTEMPTY", "EEXIST", "EBUSY", "EACCES", "EPERM"];
      if (!stays.includes(systemCode(error) ?? "")) throw error;
    }
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#shell.files(fileScripts.rename, [from, to]);
  }

  async link(target: string, path: string): Promise<void> {
    await this.#shell.files(fileScripts.link, [path, temporaryName(path), target]);
  }

  async readLink(path: string): Promise<string | undefined> {
    const output = await absentAsUndefined(
      this.#shell.files(fileScripts.readLink, [path], { again: true, answers: [0, notALink] }),
    );
    if (output === undefined || output.exitCode === notALink) return undefined;
    return posix.resolve(posix.dirname(path), output.stdout.toString("utf8"));
  }

  async list(path: string): Promise<string[]> {
    return parseList((await absentAsUndefined(this.#read(fileScripts.list, path))) ?? "");
  }

  async status(path: string): Promise<FileStatus | undefined> {
    const text = await absentAsUndefined(this.#read(fileScripts.status, path));
    return text === undefined ? undefined : parseStatus(text);
  }

  async walk(path: string): Promise<Map<string, FileStatus>> {
    return parseWalk((await absentAsUndefined(this.#read(fileScripts.walk, path))) ?? "");
  }

  async sha256(path: string, signal?: AbortSignal): Promise<string> {
    const argv = ["/bin/sh", "-c", fileScripts.sha256, "sh", path];
    const { exitCode, stdout, stderr } = await this.#shell.command(argv, { env: { LC_ALL: "C" }, signal });
    const hash = parseDigest(stdout.toString("latin1"));
    if (exitCode === 0 && hash !== undefined) return hash;
    throw this.#shell.failure(path, exitCode, stderr);
  }

  async freeBytes(path: string): Promise<number> {
    return parseAvailable(await this.#read(fileScripts.free, path));
  }

  async download(url: string, path: string, options: DownloadOptions = {}): Promise<string> {
    const shell = this.#shell;
    const pace = this.#pace;
    let sha256: string | undefined;
    if (this.#downloads === "push") await downloadFile(url, new PushedPart(shell, path), options, pace);
    else sha256 = await downloadByTool({ shell, tools: ["curl", "wget"], url, path, options, pace });
    return sha256 ?? this.sha256(path, options.signal);
  }

  part(path: string): PartFile {
    return new PushedPart(this.#shell, path);
  }

  async findProcesses(args: readonly string[]): Promise<number[]> {
    return parseProcesses(await this.#read(fileScripts.processes, "/proc"), args);
  }

  async listeningPorts(): Promise<Set<number>> {
    const text = await this.#read(fileScripts.ports, "/proc");
    return parseListeningPorts(text.startsWith("proc\n") ? "proc" : "netstat", text);
  }

  request(request: HttpRequest): Promise<HttpAnswer> {
    const { connections } = this.#shell;
    return requestOver({ connections, listeningPorts: () => this.listeningPorts() }, request);
  }

  async openSocket(path: string): Promise<Socket> {
    await this.#login.files(fileScripts.useSocket, [path], { again: true });
    return openSocketOver(this.#shell.connections, path);
  }

  async #read(script: string, path: string): Promise<string> {
    return (await this.#shell.files(script, [path], { again: true })).stdout.toString("utf8");
  }
}

function temporaryName(path: string): string {
  return `${path}.${randomBytes(6).toString("hex")}.tmp`;
}

function withoutFinalNewline(bytes: Buffer): string {
  return bytes.toString("utf8").replace(/\r?\n$/, "");
}

async function absentAsUndefined<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (absentCodes.includes(systemCode(error) ?? "")) return undefined;
    throw error;
  }
}
