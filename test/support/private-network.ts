import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { execa } from "execa";

import { SshServer } from "./ssh-server.js";

/** Why no network of its own can be made here; undefined when one can. */
export const whyNoNetwork = whyNot();

function whyNot(): string | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "only root of Linux makes networks";
  for (const tool of ["ip", "iptables"]) {
    try {
      execFileSync("sh", ["-c", `command -v ${tool}`]);
    } catch {
      return `there is no ${tool}`;
    }
  }
  return undefined;
}

/** A machine of the network: a network namespace, reached by an sshd whose commands all run in it. */
export interface NetworkHost {
  readonly name: string;
  /** In the network. */
  readonly address: string;
  readonly namespace: string;
  readonly server: SshServer;
}

/**
 * A network of hosts of their own on this machine, which is the router. They share files and processes with it, and
 * nothing of their networks.
 */
export class PrivateNetwork {
  private constructor(
    private readonly bridge: string,
    private readonly prefix: string,
    readonly hosts: readonly NetworkHost[],
  ) {}

  static async create(names: readonly string[]): Promise<PrivateNetwork> {
    const number = (process.pid % 200) + 20;
    const [bridge, prefix] = [`bnet${number}`, `10.213.${number}`];
    ip("link", "add", bridge, "type", "bridge");
    ip("addr", "add", `${prefix}.254/24`, "dev", bridge);
    ip("link", "set", bridge, "up");
    for (const rule of rulesOf(bridge, prefix)) execFileSync("iptables", rule("-I"));
    const hosts: NetworkHost[] = [];
    for (const [index, name] of names.entries()) {
      const [namespace, address] = [`${bridge}-${name}`, `${prefix}.${index + 1}`];
      const [outer, inner] = [`b${number}o${index}`, `b${number}i${index}`];
      ip("netns", "add", namespace);
      ip("link", "add", outer, "type", "veth", "peer", "name", inner, "netns", namespace);
      ip("link", "set", outer, "master", bridge, "up");
      ip("-n", namespace, "addr", "add", `${address}/24`, "dev", inner);
      for (const device of ["lo", inner]) ip("-n", namespace, "link", "set", device, "up");
      ip("-n", namespace, "route", "add", "default", "via", `${prefix}.254`);
      const inside = `exec ip netns exec ${namespace} sh -c "\${SSH_ORIGINAL_COMMAND:-exec sh}"`;
      hosts.push({ name, address, namespace, server: await SshServer.start([`ForceCommand ${inside}`]) });
    }
    const network = new PrivateNetwork(bridge, prefix, hosts);
    mkdirSync(network.folder, { mode: 0o700 });
    return network;
  }

  host(name: string): NetworkHost {
    const found = this.hosts.find((each) => each.name === name);
    if (found === undefined) throw new Error(`no host ${name}`);
    return found;
  }

  /** Configuration of ssh by which each host's name leads into it. */
  configuration(): string {
    return this.hosts
      .map(({ name, server }) => {
        server.writeKnownHosts("known", "host");
        const common = readFileSync(server.writeConfig("config"), "utf8").replace("Host *\n", "");
        return `Host ${name}\n  HostName 127.0.0.1\n  Port ${server.port}\n  User root\n${common}`;
      })
      .join("\n");
  }

  /** Where ssh keeps its sockets. */
  get folder(): string {
    const [first] = this.hosts;
    if (first === undefined) throw new Error("a network without hosts");
    return first.server.path("run");
  }

  /** Ends the connections that Berth's processes share. */
  async endConnections(): Promise<void> {
    const folder = join(this.folder, "berth-ssh");
    for (const socket of readdirSync(folder))
      await execa("ssh", ["-F", "none", "-S", join(folder, socket), "-O", "exit", "box"], { reject: false });
  }

  /**
   * What somebody gets who says hello to an RPC server, hexadecimal: nothing where the connection is refused or ended.
   *
   * @param from a host's name; left out for this machine, which is in the network too
   */
  async sayHello(address: string, port: number, from?: string): Promise<string> {
    const script = join(import.meta.dirname, "rpc-hello.py");
    const inside = from === undefined ? [] : ["ip", "netns", "exec", this.host(from).namespace];
    const words = [...inside, "python3", script, address, String(port)];
    const [command = "", ...args] = words;
    return (await execa(command, args)).stdout.trim();
  }

  async dispose(): Promise<void> {
    for (const { namespace, server } of this.hosts) {
      await server.dispose();
      const pids = await execa("ip", ["netns", "pids", namespace], { reject: false });
      for (const pid of pids.stdout.split("\n").filter(Boolean)) await execa("kill", ["-KILL", pid], { reject: false });
      ip("netns", "del", namespace);
    }
    for (const rule of rulesOf(this.bridge, this.prefix)) execFileSync("iptables", rule("-D"));
    ip("link", "del", this.bridge);
  }
}

/** Hosts reach the world through this machine. */
function rulesOf(bridge: string, prefix: string): ((action: "-I" | "-D") => string[])[] {
  return [
    (action) => [action, "FORWARD", "-i", bridge, "-j", "ACCEPT"],
    (action) => [action, "FORWARD", "-o", bridge, "-j", "ACCEPT"],
    (action) => ["-t", "nat", action, "POSTROUTING", "-s", `${prefix}.0/24`, "!", "-o", bridge, "-j", "MASQUERADE"],
  ];
}

function ip(...args: string[]): void {
  execFileSync("ip", args);
}
