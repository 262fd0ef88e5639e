import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import {
  chmod,
  link as hardLink,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  rmdir,
  statfs,
  symlink,
  writeFile,
} from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";

import { execa } from "execa";

import { BerthError, systemCode } from "../lib/errors.js";
import { downloadFile } from "./download.js";
import type { DownloadOptions, FileStatus, Host, HttpAnswer, HttpRequest, RunOptions, RunResult } from "./host.js";
import { sendRequest } from "./http.js";
import { LocalShell } from "./local-shell.js";
import { LocalPart, type PartFile } from "./part-file.js";
import { parseListeningPorts } from "./ports.js";
import { LimitedGroup } from "./process-group.js";
import { downloadByTool } from "./tool-download.js";
import { defaultPace, type DownloadPace } from "./transfer-watch.js";

/** The little of the process environment that commands on a host get. */
export interface BaseEnvironment {
  readonly PATH: string;
  readonly HOME: string;
  /** Proxy and certificate settings that downloads on this machine need; curl knows them. */
  readonly [name: string]: string;
}

/** Of a command whose lines are handed on, so many are kept for its result. */
const keptLines = 1000;

/** This machine as a host. */
export class LocalHost implements Host {
  readonly #environment: BaseEnvironment;
  readonly #pace: DownloadPace;

  constructor(
    readonly name: string,
    environment: BaseEnvironment,
    pace: DownloadPace = defaultPace,
  ) {
    this.#environment = environment;
    this.#pace = pace;
  }

  async run(argv: readonly [string, ...string[]], options: RunOptions = {}): Promise<RunResult> {
    options.signal?.throwIfAborted();
    const [file, ...args] = argv;
    const child = execa(file, args, {
      env: { ...this.#environment, ...options.env },
      extendEnv: false,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.input === undefined ? { stdin: "ignore" } : { input: options.input }),
      ...(options.onLine === undefined ? {} : { buffer: { stdout: false } }),
      // A process group of its own, so that what the command starts ends with it.
      detached: true,
      reject: false,
      maxBuffer: 64_000_000,
    });
    const group = new LimitedGroup(child.pid, options);
    const { onLine } = options;
    const lastOfMany = onLine === undefined ? undefined : forEachLine(child.iterable({ from: "stdout" }), onLine);
    const result = await child;
    const { timedOut } = await group.settle();
    const tail = await lastOfMany;
    options.signal?.throwIfAborted();
    return {
      exitCode: timedOut ? 124 : (result.exitCode ?? exitCodeOf(result)),
      stdout: tail ?? result.stdout,
      stderr: result.exitCode === undefined && "shortMessage" in result ? result.shortMessage : result.stderr,
    };
  }

  async readText(path: string): Promise<string | undefined> {
    return absentAsUndefined(readFile(path, "utf8"));
  }

  async writeFile(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
    const temporary = temporaryName(path);
    try {
      await inFolder(temporary, () => writeFile(temporary, content, { mode, flush: true }));
      await chmod(temporary, mode);
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  async createFile(path: string, content: string): Promise<boolean> {
    const temporary = temporaryName(path);
    try {
      await inFolder(temporary, () => writeFile(temporary, content, { mode: 0o600, flush: true }));
      await hardLink(temporary, path).catch((error: unknown) => {
        // Disks that are carried about mostly have a file system without hard links.
        if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(systemCode(error) ?? "")) throw error;
        return writeFile(path, content, { mode: 0o600, flag: "wx", flush: true });
      });
      return true;
    } catch (error) {
      if (systemCode(error) === "EEXIST") return false;
      throw error;
    } finally {
      await rm(temporary, { force: true });
    }
  }

  async makeDirectory(path: string, mode = 0o755): Promise<void> {
    await mkdir(path, { recursive: true, mode });
  }

  async remove(path: string): Promise<void> {
    await rm(path, { recursive: true, force: true, maxRetries: 3 });
  }

  async removeIfEmpty(path: string): Promise<void> {
    try {
      await rmdir(path);
    } catch (error) {
      // A mount point, or a folder in one that is not ours, stays.
      const stays = ["ENOENT", "ENOTEMPTY", "EEXIST", "EBUSY", "EACCES", "EPERM"];
      if (!stays.includes(systemCode(error) ?? "")) throw error;
    }
  }

  async rename(from: string, to: string): Promise<void> {
    await mkdir(dirname(to), { recursive: true });
    await rename(from, to);
  }

  async link(target: string, path: string): Promise<void> {
    await mkdir(dirname(path), { recursive: true });
    const temporary = temporaryName(path);
    await symlink(target, temporary);
    await rename(temporary, path);
  }

  async readLink(path: string): Promise<string | undefined> {
    // EINVAL: something else than a link.
    const target = await absentAsUndefined(readlink(path), [...absentCodes, "EINVAL"]);
    return target === undefined ? undefined : resolve(dirname(path), target);
  }

  async list(path: string): Promise<string[]> {
    const names = await absentAsUndefined(readdir(path));
    return (names ?? []).sort();
  }

  async status(path: string): Promise<FileStatus | undefined> {
    const found = await absentAsUndefined(lstat(path, { bigint: true }));
    if (found === undefined) return undefined;
    const kind = found.isFile()
      ? "file"
      : found.isDirectory()
        ? "directory"
        : found.isSymbolicLink()
          ? "link"
          : "other";
    return { kind, size: Number(found.size), mode: Number(found.mode & 0o7777n), changedAt: String(found.ctimeNs) };
  }

  async walk(path: string): Promise<Map<string, FileStatus>> {
    const found = new Map<string, FileStatus>();
    const visit = async (relative: string): Promise<void> => {
      const entries = (await absentAsUndefined(readdir(join(path, relative), { withFileTypes: true }))) ?? [];
      for (const entry of entries) {
        const name = relative === "" ? entry.name : `${relative}/${entry.name}`;
        if (entry.isDirectory()) {
          await visit(name);
        } else {
          const status = await this.status(join(path, name));
          if (status !== undefined) found.set(name, status);
        }
      }
    };
    await visit("");
    return found;
  }

  async sha256(path: string, signal?: AbortSignal): Promise<string> {
    const hash = createHash("sha256");
    await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash, signal === undefined ? {} : { signal });
    return hash.digest("hex");
  }

  async freeBytes(path: string): Promise<number> {
    for (let folder = path; ; folder = dirname(folder)) {
      const space = await absentAsUndefined(statfs(folder));
      if (space !== undefined) return space.bavail * space.bsize;
      if (folder === dirname(folder)) return 0;
    }
  }

  async download(url: string, path: string, options: DownloadOptions = {}): Promise<string> {
    const pace = this.#pace;
    const shell = new LocalShell(this.name, this.#environment);
    try {
      const sha256 = await downloadByTool({ shell, tools: ["curl"], url, path, options, pace });
      if (sha256 !== undefined) return sha256;
    } catch (error) {
      // There is no curl, or it does not trust a server that Node may (`NODE_EXTRA_CA_CERTS`).
      if (!(error instanceof BerthError) || error.code !== "host-unsuitable") throw error;
      await downloadFile(url, new LocalPart(path), options, pace);
    }
    return this.sha256(path, options.signal);
  }

  part(path: string): PartFile {
    return new LocalPart(path);
  }

  async findProcesses(args: readonly string[]): Promise<number[]> {
    const wanted = ` ${args.join(" ")} `;
    const pids = (await absentAsUndefined(readdir("/proc")))?.filter((name) => /^\d+$/.test(name));
    const lines =
      pids === undefined
        ? (await this.run(["ps", "-axo", "pid=,command="])).stdout.split("\n")
        : await Promise.all(pids.map(async (pid) => `${pid} ${await this.#commandLine(pid)}`));
    return lines.filter((line) => `${line} `.includes(wanted)).map((line) => Number.parseInt(line, 10));
  }

  async #commandLine(pid: string): Promise<string> {
    const text = await this.readText(`/proc/${pid}/cmdline`).catch(() => undefined);
    return (text ?? "").replace(/\0$/, "").replaceAll("\0", " ");
  }

  async listeningPorts(): Promise<Set<number>> {
    const tables = await Promise.all(["/proc/net/tcp", "/proc/net/tcp6"].map((path) => this.readText(path)));
    if (tables.some((table) => table !== undefined)) return parseListeningPorts("proc", tables.join("\n"));
    const { stdout } = await this.run(["netstat", "-an", "-p", "tcp"], { timeoutSeconds: 10 });
    return parseListeningPorts("netstat", stdout);
  }

  request(request: HttpRequest): Promise<HttpAnswer> {
    return sendRequest(request);
  }

  async openSocket(path: string): Promise<Socket> {
    const socket = connect(path);
    await once(socket, "connect");
    return socket;
  }
}

function temporaryName(path: string): string {
  return `${path}.${randomBytes(6).toString("hex")}.tmp`;
}

/** Writes a file, whose folder is there nearly always. */
async function inFolder(path: string, write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    await mkdir(dirname(path), { recursive: true });
    await write();
  }
}

const absentCodes = ["ENOENT", "ENOTDIR"];

async function absentAsUndefined<T>(promise: Promise<T>, codes = absentCodes): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (codes.includes(systemCode(error) ?? "")) return undefined;
    throw error;
  }
}

/** Hands on each line as it comes; returns the last ones. */
async function forEachLine(lines: AsyncIterable<string>, onLine: (line: string) => void): Promise<string> {
  const last: string[] = [];
  for await (const line of lines) {
    onLine(line);
    last.push(line);
    if (last.length > keptLines) last.shift();
  }
  return last.join("\n");
}

function exitCodeOf(result: { code?: string | undefined; signal?: string | undefined }): number {
  if (result.code === "ENOENT" || result.code === "EACCES") return 127;
  return 128;
}
