import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { chmod, mkdtemp, realpath, rm } from "node:fs/promises";
import { connect } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { execa } from "execa";

import { defaultSshPace, type SshPace, type SshSettings, type SshTarget } from "../../src/host/ssh-target.js";

import { freePort } from "./sandbox.js";

const sshd = "/usr/sbin/sshd";
/** Where sshd keeps its processes apart when root starts it. The system makes it when it starts sshd itself. */
const separation = "/run/sshd";

/** Why no sshd can be started here; undefined when one can. */
export const whyNoSshd = existsSync(sshd) ? undefined : `there is no ${sshd}`;

/** A pace for tests: what breaks is noticed within seconds. */
export const quickPace: SshPace = {
  ...defaultSshPace,
  connectSeconds: 3,
  loginSeconds: 6,
  aliveSeconds: 1,
  persistSeconds: 20,
  silenceSeconds: 4,
  firstWaitSeconds: 0.1,
};

/**
 * A real sshd of its own on a port of loopback, for the user who runs the tests, with its own host key, and a user's
 * key that it accepts. All its files are in a temporary folder with a short path, for the sockets' sake.
 */
export class SshServer {
  #process: ChildProcess | undefined;
  #log = "";

  private constructor(
    /** Temporary folder. Its path has no blanks, which sshd's and ssh's configuration files split at. */
    readonly folder: string,
    readonly port: number,
    private readonly more: readonly string[],
  ) {}

  /** @param more lines of sshd's configuration */
  static async start(more: readonly string[] = []): Promise<SshServer> {
    if (process.getuid?.() === 0) mkdirSync(separation, { recursive: true, mode: 0o755 });
    const folder = await realpath(await mkdtemp("/tmp/bs-"));
    await chmod(folder, 0o700);
    const server = new SshServer(folder, await freePort(), more);
    await server.makeKey("host");
    await server.makeKey("user");
    await server.makeKey("stranger");
    writeFileSync(server.path("authorized"), readFileSync(server.path("user.pub")));
    server.#configure();
    await server.#listen();
    return server;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  makeKey(name: string): Promise<unknown> {
    return execa("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", this.path(name)]);
  }

  /** A file of host keys that names the given one for a port. */
  writeKnownHosts(name: string, key: string, port = this.port): void {
    writeFileSync(this.path(name), `[127.0.0.1]:${port} ${readFileSync(this.path(`${key}.pub`), "utf8")}`);
  }

  /** A configuration of ssh: who logs in, and which file has the host's key. */
  writeConfig(name: string, { key = "user", knownHosts = "known" } = {}): string {
    const lines = [
      "Host *",
      `  IdentityFile ${this.path(key)}`,
      "  IdentitiesOnly yes",
      "  IdentityAgent none",
      `  UserKnownHostsFile ${this.path(knownHosts)}`,
      "  GlobalKnownHostsFile none",
      // What a careless user may have: Berth verifies all the same.
      "  StrictHostKeyChecking no",
    ];
    writeFileSync(this.path(name), `${lines.join("\n")}\n`);
    return this.path(name);
  }

  /** Whom a host of Berth's has to reach. */
  target(port = this.port): SshTarget {
    this.writeKnownHosts(`known-${port}`, "host", port);
    const configFile = this.writeConfig(`config-${port}`, { knownHosts: `known-${port}` });
    return { name: "remote", address: "127.0.0.1", user: userInfo().username, port, configFile };
  }

  settings(pace: SshPace = quickPace): SshSettings {
    const { PATH = "", HOME = "/" } = process.env;
    return { folder: this.path("s"), environment: { PATH, HOME }, pace };
  }

  /** What sshd has said. */
  get log(): string {
    return this.#log;
  }

  async dispose(): Promise<void> {
    this.#process?.kill("SIGTERM");
    await rm(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }

  #configure(): void {
    const lines = [
      "ListenAddress 127.0.0.1",
      `Port ${this.port}`,
      `HostKey ${this.path("host")}`,
      `AuthorizedKeysFile ${this.path("authorized")}`,
      "PidFile none",
      // The temporary folder's parents may be written by others.
      "StrictModes no",
      "UsePAM no",
      "PasswordAuthentication no",
      "KbdInteractiveAuthentication no",
      "PermitRootLogin yes",
      "MaxStartups 100",
      ...this.more,
    ];
    writeFileSync(this.path("sshd_config"), `${lines.join("\n")}\n`);
  }

  async #listen(): Promise<void> {
    const child = spawn(sshd, ["-D", "-e", "-f", this.path("sshd_config")], { stdio: ["ignore", "ignore", "pipe"] });
    this.#process = child;
    child.stderr.on("data", (bytes: Buffer) => (this.#log += bytes.toString("utf8")));
    for (let tries = 0; tries < 100; tries += 1) {
      if (await answers(this.port)) return;
      if (child.exitCode !== null) break;
      await delay(50);
    }
    throw new Error(`sshd does not listen:\n${this.#log}`);
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
