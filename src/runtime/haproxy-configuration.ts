/** What a gateway's HAProxy is told in its file, and where its things lie. Pure. */
import { posix } from "node:path";

import { z } from "zod";

import { dataPaths } from "../host/paths.js";
import { sha256 } from "../lib/canonical.js";
import { socketFolder } from "./socket-path.js";

const port = z.int().min(1).max(65_535);

const listener = z.strictObject({
  /** The instance that is served. */
  instance: z.string(),
  /** Where clients ask. */
  address: z.string(),
  port,
  /** Where its runners listen, on loopback. */
  slots: z.tuple([port, port]),
  /** The port of the runner that answers. */
  active: port,
});

/** One instance behind a gateway. */
export type Listener = z.output<typeof listener>;

export interface GatewayPaths {
  readonly folder: string;
  readonly configuration: string;
  /** Holds what is to be put in place, until HAProxy has found it well-formed. */
  readonly candidate: string;
  readonly socketFolder: string;
  readonly socket: string;
}

const socketName = "master.sock";

/**
 * Each stack has a gateway of its own on a host: others change theirs without it.
 *
 * @param role of one that is another than the host's; no owner's name has a `+`
 */
export function gatewayPaths(dataDir: string, owner: string, role?: "models"): GatewayPaths {
  const own = owner.replace("/", "+");
  const folder = posix.join(dataPaths(dataDir).gateways, role === undefined ? own : `${own}+${role}`);
  // HAProxy ends a socket's path at a comma.
  const ofSocket = folder.includes(",") ? posix.join("/tmp", `berth-${sha256(folder).slice(0, 16)}`) : undefined;
  const place = ofSocket ?? socketFolder(folder, socketName);
  return {
    folder,
    configuration: posix.join(folder, "haproxy.cfg"),
    candidate: posix.join(folder, "haproxy.cfg.new"),
    socketFolder: place,
    socket: posix.join(place, socketName),
  };
}

/** The argument vector of a gateway's process: a master that stays, and a worker for each version of the file. */
export function haproxyArguments(
  haproxy: string,
  { socket, configuration }: Pick<GatewayPaths, "socket" | "configuration">,
): [string, ...string[]] {
  return [haproxy, "-W", "-db", "-S", `${socket},mode,600`, "-f", configuration];
}

const heading = `# Berth writes this file, and reads it again: what is changed by hand is written anew.
global
  maxconn 4000
  no strict-limits
  # Of a worker that was replaced: longer than any answer takes.
  hard-stop-after 1h

defaults
  mode http
  # A runner closes idle connections when it likes, and what was just sent on one would be lost.
  option http-server-close
  # Whoever goes away is not worked for.
  option abortonclose
  # A worker that was replaced answers once more on a client's idle connection, and says that it closes: closed at once,
  # what the client was just sending would be lost.
  option idle-close-on-response
  option redispatch
  retries 3
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout http-request 60s
  timeout http-keep-alive 60s
`;
const mark = "# listener ";

/** The whole file: what serves is in it, so that a HAProxy that starts from it goes on as before. */
export function haproxyConfiguration(listeners: readonly Listener[]): string {
  const sorted = listeners.toSorted((a, b) => (a.instance < b.instance ? -1 : 1));
  return [heading, ...sorted.map(section)].join("\n");
}

function section(served: Listener): string {
  const { instance, address, port: stable, slots, active } = served;
  const ordered = { instance, address, port: stable, slots, active };
  const lines = [
    `${mark}${JSON.stringify(ordered)}`,
    `listen ${proxyName(served)}`,
    `  bind ${address.includes(":") ? `[${address}]` : address}:${stable}`,
    ...serverPorts(served).map(
      (each) => `  server ${serverName(each)} 127.0.0.1:${each}${each === active ? "" : " disabled"}`,
    ),
  ];
  return `${lines.join("\n")}\n`;
}

/**
 * What a file that {@link haproxyConfiguration} wrote says, also when something was added to it, or another version of
 * Berth begins it otherwise; undefined when one of its sections is not as it was written, and for any other file.
 */
export function parseHaproxyConfiguration(text: string): Listener[] | undefined {
  try {
    const marked = text.split("\n").filter((line) => line.startsWith(mark));
    const listeners = marked.map((line) => listener.parse(JSON.parse(line.slice(mark.length))));
    if (listeners.length === 0) return text === haproxyConfiguration([]) ? [] : undefined;
    return listeners.every((each) => text.includes(section(each))) ? listeners : undefined;
  } catch {
    return undefined;
  }
}

/** A proxy's name tells where it listens: what runs can then be compared with what is written. */
export function proxyName({ instance, address, port: stable }: Omit<Listener, "slots" | "active">): string {
  return `${proxyPrefix(instance)}${address}:${stable}`;
}

/** How every proxy of an instance begins; HAProxy's names hold no `@`, and instances' no `:`. */
export function proxyPrefix(instance: string): string {
  return `${instance.replaceAll("@", "::")}:`;
}

export function serverName(of: number): string {
  return `port-${of}`;
}

/** A runner that serves from another port than the slots, as before these were changed, has a server too. */
export function serverPorts({ slots, active }: Pick<Listener, "slots" | "active">): number[] {
  return [...new Set([...slots, active])];
}
