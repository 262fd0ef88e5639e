/**
 * What a HAProxy is told that stands before a server which asks nobody who they are: it admits one source. It is a
 * process of its own, not the host's gateway: that one gives way to a new worker when anything of it changes, and ends
 * the old one's connections after an hour, while an engine keeps its connection for as long as it runs. Pure.
 */
import { posix } from "node:path";

export interface Relay {
  /** Where it listens. */
  readonly address: string;
  readonly port: number;
  /** The only address that is let in. */
  readonly admits: string;
  /** Where the server listens on loopback. */
  readonly serverPort: number;
}

export function relayPath(folder: string): string {
  return posix.join(folder, "haproxy.cfg");
}

export function relayArguments(haproxy: string, folder: string): [string, ...string[]] {
  return [haproxy, "-db", "-f", relayPath(folder)];
}

/** The whole file. */
export function relayConfiguration({ address, port, admits, serverPort }: Relay): string {
  return `# Berth writes this file anew when it is changed.
global
  maxconn 16

defaults
  mode tcp
  timeout connect 5s
  # A model that nobody asks is silent for days; HAProxy warns of it.
  timeout client 0
  timeout server 0
  # A primary whose machine is gone says nothing more, and the server has time for one client alone.
  option clitcpka
  clitcpka-idle 30s
  clitcpka-intvl 10s
  clitcpka-cnt 3

listen server
  bind ${address}:${port}
  tcp-request connection reject unless { src ${admits} }
  server server 127.0.0.1:${serverPort}
`;
}
