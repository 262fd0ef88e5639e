import type { Socket } from "node:net";

import type { HostConnection } from "../schema/hosts.js";
import type { PartFile } from "./part-file.js";

/** Gives the host that a connection leads to; nothing is asked of it yet. */
export type OpenHost = (connection: HostConnection & { readonly name: string }) => Host;

/** A host, as resources carry it. Folders are absolute. */
export type HostReference = HostConnection & {
  readonly name: string;
  readonly dataDir: string;
  /** Folder of executables, when it is not the one in the data directory. */
  readonly binDir?: string | undefined;
};

export interface RunOptions {
  /** Added to a small fixed environment (PATH, HOME, LANG); nothing else of this process is passed on. */
  env?: Readonly<Record<string, string>>;
  /** Written to the command's standard input, which is then closed. */
  input?: string;
  cwd?: string;
  timeoutSeconds?: number;
  signal?: AbortSignal;
  /** Called for each line of standard output while the command runs; of these the result holds the last 1000. */
  onLine?: (line: string) => void;
}

export interface RunResult {
  /** 127 when the command does not exist, 124 when it ran past its time. */
  exitCode: number;
  stdout: string;
  stderr: string;
}

export interface FileStatus {
  kind: "file" | "directory" | "link" | "other";
  size: number;
  /** Permission bits, such as 0o755. */
  mode: number;
  /** Nanoseconds since 1970, as text. Every change of content or attributes moves it, and programs cannot set it back. */
  changedAt: string;
}

export interface DownloadOptions {
  /** Called with bytes so far and, when the server tells, bytes in all. */
  onProgress?: (current: number, total: number | undefined) => void;
  /** Most that the file may have: a server that sends more is not waited for, and nothing is kept of it. */
  maxBytes?: number;
  /**
   * Sent to the address's own origin alone: where it redirects to another, as hubs do to the servers that hold their
   * large files, they are left out. Never in a process list, nor in an error.
   */
  headers?: { readonly authorization?: string };
  signal?: AbortSignal;
}

export interface HttpRequest {
  address: string;
  port: number;
  method: "GET" | "POST";
  path: string;
  headers?: Readonly<Record<string, string>>;
  body?: string;
  timeoutSeconds: number;
  signal?: AbortSignal;
  /** Called with each piece of the answer's body as it comes, before the answer is there: with all of them, however many. */
  onPiece?: (bytes: Uint8Array) => void;
}

export type HttpAnswer =
  { kind: "answered"; status: number; body: string } | { kind: "refused"; reason: string } | { kind: "timedOut" };

/**
 * Everything Berth does on a machine. All paths are absolute. Every implementation passes the same contract suite
 * (`test/contract/host.ts`). Methods throw system errors with their code (`EACCES`, `ENOSPC`) unless said otherwise.
 */
export interface Host {
  readonly name: string;

  /** Runs a command by its argument vector. A failing command is a result, not an error. */
  run(argv: readonly [string, ...string[]], options?: RunOptions): Promise<RunResult>;

  /** Undefined when there is no such file. */
  readText(path: string): Promise<string | undefined>;
  /** Puts a file in place in one step: readers see the old or the whole new content. Makes missing folders. */
  writeFile(path: string, content: string | Uint8Array, mode?: number): Promise<void>;
  /** Creates a file with its whole content in one step; false when one is there already. */
  createFile(path: string, content: string): Promise<boolean>;
  makeDirectory(path: string, mode?: number): Promise<void>;
  /** Removes a file or a folder with everything below it; nothing there is fine. */
  remove(path: string): Promise<void>;
  /** Removes a folder if it is there, holds nothing and may be removed. */
  removeIfEmpty(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Puts a symbolic link in place in one step, over an old one too. */
  link(target: string, path: string): Promise<void>;
  /** The absolute path that a symbolic link names; undefined when there is no such link. */
  readLink(path: string): Promise<string | undefined>;
  /** Names in a folder, sorted; none when there is no such folder. */
  list(path: string): Promise<string[]>;
  /** Undefined when there is nothing. Links are not followed. */
  status(path: string): Promise<FileStatus | undefined>;
  /** Files and links below a folder by relative path; links are not followed. Empty when there is no such folder. */
  walk(path: string): Promise<Map<string, FileStatus>>;
  sha256(path: string, signal?: AbortSignal): Promise<string>;
  /** Free bytes for this user on the file system of the nearest existing folder. */
  freeBytes(path: string): Promise<number>;

  /**
   * Fetches a URL into a file, going on where a broken download stopped, and tells the SHA-256 of the whole file, which
   * is taken while it comes. A server that is silent, or too slow to end this day, counts as broken off; one that breaks
   * off again and again is `download-failed`.
   */
  download(url: string, path: string, options?: DownloadOptions): Promise<string>;
  /** The file that grows by what this machine sends. */
  part(path: string): PartFile;
  /** Processes of this user, or of all for root, whose arguments hold the given ones in a row. */
  findProcesses(args: readonly string[]): Promise<number[]>;
  /** TCP ports that something listens on. */
  listeningPorts(): Promise<Set<number>>;
  /** One HTTP request to a port of the host, made as if from the host itself. Never throws for what the peer does. */
  request(request: HttpRequest): Promise<HttpAnswer>;
  /**
   * A connection to a Unix socket of the host. Over ssh it is the login that connects, also where all else is done as
   * root by sudo: `EACCES` when it may not.
   */
  openSocket(path: string): Promise<Socket>;
}
