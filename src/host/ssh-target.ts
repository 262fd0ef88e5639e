import { createHash } from "node:crypto";
import { join } from "node:path";

import { quoteWord } from "./shell-script.js";

/** Whom to reach by ssh. What is left out, ssh takes from its configuration. */
export interface SshTarget {
  /** The host's name in the stack, for messages. */
  readonly name: string;
  /** Host name, address, or a `Host` of ssh's configuration. */
  readonly address: string;
  readonly user?: string | undefined;
  readonly port?: number | undefined;
  /** Instead of `~/.ssh/config` and the system's. */
  readonly configFile?: string | undefined;
  /** Whether everything is done as root, by a `sudo` that asks for nothing. */
  readonly sudo?: "none" | "nonInteractive" | undefined;
}

/** How patient connections are. */
export interface SshPace {
  /** For a connection of TCP and its key exchange. */
  readonly connectSeconds: number;
  /** For all of a login, over jump hosts too. */
  readonly loginSeconds: number;
  /** A peer that leaves three questions unanswered, asked so often, is gone. */
  readonly aliveSeconds: number;
  /** A connection that nobody uses stays for so long. */
  readonly persistSeconds: number;
  /** A command on the host ends when it has not heard of us for so long: less than the host lock's time to live. */
  readonly silenceSeconds: number;
  /** For a command to end that was told to. Its group is killed after 5 s. */
  readonly endSeconds: number;
  /** How often a connection that was refused or broke off is tried again, and how long before the first time. */
  readonly retries: number;
  readonly firstWaitSeconds: number;
}

export const defaultSshPace: SshPace = {
  connectSeconds: 15,
  loginSeconds: 60,
  aliveSeconds: 10,
  persistSeconds: 60,
  silenceSeconds: 40,
  endSeconds: 15,
  retries: 2,
  firstWaitSeconds: 1,
};

export interface SshSettings {
  /** A private folder for sockets, the same for all processes of the user; its path has to be short. */
  readonly folder: string;
  /** For `ssh` itself: PATH, HOME, SSH_AUTH_SOCK, and what commands of its configuration need. */
  readonly environment: Readonly<Record<string, string>>;
  readonly pace: SshPace;
}

/** Longest path of a socket that every system takes, less what ssh and {@link masterPath} add to it. */
export const longestControlPath = 100 - ".123456.0123456789abcdef".length;

/** Where the sockets of connections to a target lie: the same for every process, so that all share them. */
export function controlPath(folder: string, target: SshTarget, connection: number): string {
  const { address, user = "", port = "", configFile = "" } = target;
  const hash = createHash("sha256").update(JSON.stringify([address, user, port, configFile]));
  return join(folder, `${hash.digest("hex").slice(0, 16)}-${connection}`);
}

/** Makes a connection in the background that others share by its socket. */
export function masterArguments(target: SshTarget, socket: string, pace: SshPace): string[] {
  const options = {
    BatchMode: "yes",
    StrictHostKeyChecking: "yes",
    ConnectTimeout: String(pace.connectSeconds),
    ServerAliveInterval: String(pace.aliveSeconds),
    ServerAliveCountMax: "3",
    ControlMaster: "yes",
    ControlPersist: String(pace.persistSeconds),
    // Nothing that a person has set up for terminals: no forwarding, no command of the configuration.
    ClearAllForwardings: "yes",
    ForwardAgent: "no",
    ForwardX11: "no",
    PermitLocalCommand: "no",
    RemoteCommand: "none",
    RequestTTY: "no",
    UpdateHostKeys: "no",
    // A connection that ended leaves its forwarded sockets behind.
    StreamLocalBindUnlink: "yes",
    // Failures are told apart by what ssh says of them.
    LogLevel: "ERROR",
  };
  const { address, user, port, configFile } = target;
  return [
    ...(configFile === undefined ? [] : ["-F", configFile]),
    ...(user === undefined ? [] : ["-l", user]),
    ...(port === undefined ? [] : ["-p", String(port)]),
    ...["-N", "-f", "-S", escapePercent(socket)],
    ...Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]),
    ...["--", address],
  ];
}

/**
 * Uses the connection of a socket. Where there is none, ssh would make one of its own: it is given a command instead
 * of a connection that makes the file `unconnected`. So that file tells for certain that nothing reached the host.
 */
export function sessionArguments(target: SshTarget, socket: string, unconnected: string, forward?: string): string[] {
  const options = {
    ControlMaster: "no",
    LogLevel: "ERROR",
    ProxyCommand: `touch ${escapePercent(quoteWord(unconnected))}`,
  };
  return [
    ...["-F", "none", "-T", "-S", escapePercent(socket)],
    ...Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]),
    ...(forward === undefined ? [] : ["-W", forward]),
    ...["--", target.address],
  ];
}

/** Asks whether there is a connection, or asks it to take no more sessions and to end with the last one. */
export function controlArguments(target: SshTarget, socket: string, request: "check" | "stop"): string[] {
  return [...requestArguments(socket, request), "--", target.address];
}

function requestArguments(socket: string, request: string): string[] {
  return ["-F", "none", "-S", escapePercent(socket), "-o", "LogLevel=ERROR", "-O", request];
}

/** Where a socket of the host is led to. Its name is as long as what {@link longestControlPath} leaves room for. */
export function forwardedPath(socket: string, path: string): string {
  return `${socket}.${createHash("sha256").update(path).digest("hex").slice(0, 16)}`;
}

/** Asks a connection to lead a socket of this machine to one of the host, or to end that. */
export function forwardArguments(
  target: SshTarget,
  socket: string,
  request: "forward" | "cancel",
  { from, to }: { readonly from: string; readonly to: string },
): string[] {
  return [...requestArguments(socket, request), "-L", [from, to].map(escapeForward).join(":"), "--", target.address];
}

function escapePercent(text: string): string {
  return text.replaceAll("%", "%%");
}

function escapeForward(path: string): string {
  return escapePercent(path.replaceAll(/[\\:]/g, "\\$&"));
}
