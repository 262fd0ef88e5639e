import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { execa } from "execa";

import type { SshSettings, SshTarget } from "../../src/host/ssh-target.js";

import { freePort } from "./sandbox.js";
import { SshServer } from "./ssh-server.js";

/** Why no account can be made here; undefined when one can. */
export const whyNoAccount = process.getuid?.() === 0 ? undefined : "only root makes accounts";

/** Why no account can be made here that becomes root by sudo; undefined when one can. */
export const whyNoSudo = existsSync("/usr/bin/sudo") ? whyNoAccount : "there is no /usr/bin/sudo";

/** An unprivileged account of this machine, which an sshd of its own lets in. Its home is a temporary folder. */
export class SshAccount {
  private constructor(
    readonly name: string,
    readonly home: string,
    private readonly server: SshServer,
    /** Folder of what ssh needs: its configuration, and the sockets of its connections. */
    readonly folder: string,
  ) {}

  /** @param more lines of sshd's configuration */
  static async create(more: readonly string[] = []): Promise<SshAccount> {
    const home = mkdtempSync("/tmp/bh-");
    const name = `berth${home
      .slice(-6)
      .toLowerCase()
      .replaceAll(/[^a-z0-9]/g, "x")}`;
    // sshd lets nobody in whose password is locked, as it is by default.
    const options = ["--home-dir", home, "--no-create-home", "--shell", "/bin/sh", "--password", "*"];
    execFileSync("useradd", [...options, name]);
    const keys = join(home, ".ssh", "authorized_keys");
    const server = await SshServer.start([...more, `Match User ${name}`, `  AuthorizedKeysFile ${keys}`]);
    mkdirSync(join(home, ".ssh"), { mode: 0o700 });
    writeFileSync(keys, readFileSync(server.path("user.pub")));
    execFileSync("chown", ["--recursive", name, home]);
    const account = new SshAccount(name, home, server, server.path("run"));
    mkdirSync(account.folder, { mode: 0o700 });
    server.writeKnownHosts("known", "host");
    return account;
  }

  /** What sudo lets the account do: lines of sudoers, where `{{user}}` is its name. Those of before go. */
  writeSudoers(...lines: readonly string[]): void {
    const text = lines.map((line) => `${line.replaceAll("{{user}}", this.name)}\n`).join("");
    const draft = join(this.folder, "sudoers");
    writeFileSync(draft, text, { mode: 0o440 });
    // A mistake there would lock everybody out of sudo.
    execFileSync("visudo", ["--check", "--quiet", "--file", draft]);
    copyFileSync(draft, this.#sudoers);
    rmSync(draft);
  }

  get #sudoers(): string {
    return join("/etc/sudoers.d", this.name);
  }

  /** Whom a host of Berth's has to reach. */
  target(): SshTarget {
    return { ...this.server.target(), user: this.name };
  }

  settings(): SshSettings {
    return this.server.settings();
  }

  get port(): number {
    return this.server.port;
  }

  /** Configuration of ssh by which `box` is this account, on a port that leads to its sshd. */
  configuration(port = this.port): string {
    this.server.writeKnownHosts(`known-${port}`, "host", port);
    const lines = ["HostName 127.0.0.1", `Port ${port}`, `User ${this.name}`];
    return [
      "Host box",
      ...lines.map((line) => `  ${line}`),
      readFileSync(this.server.writeConfig("config", { knownHosts: `known-${port}` }), "utf8"),
    ].join("\n");
  }

  /** A configuration file of ssh that knows another key than the host's. */
  strangerConfiguration(): string {
    this.server.writeKnownHosts("known-stranger", "stranger");
    return this.server.writeConfig("config-stranger", { knownHosts: "known-stranger" });
  }

  /** Configuration by which `box` is a port where nobody listens. */
  async deadConfiguration(): Promise<string> {
    return this.configuration(await freePort());
  }

  /** Ends the connections that Berth's processes share. */
  async endConnections(): Promise<void> {
    const folder = join(this.folder, "berth-ssh");
    for (const socket of readdirSync(folder)) {
      await execa("ssh", ["-F", "none", "-S", join(folder, socket), "-O", "exit", "box"], { reject: false });
    }
  }

  /** Files of the account, without its keys. */
  files(): string[] {
    const found = execFileSync("find", [this.home, "-not", "-type", "d", "-not", "-path", `${this.home}/.ssh/*`]);
    return found.toString("utf8").split("\n").filter(Boolean);
  }

  /** Its processes, without those of its logins and those that have ended. */
  processes(): string[] {
    const lines = execFileSync("ps", ["-axww", "-o", "user:32=,args="], { encoding: "utf8" }).split("\n");
    return lines.filter((line) => line.startsWith(`${this.name} `) && !/\bsshd?\b|<defunct>/.test(line));
  }

  async dispose(): Promise<void> {
    rmSync(this.#sudoers, { force: true });
    await this.server.dispose();
    await execa("pkill", ["-KILL", "-u", this.name], { reject: false });
    await execa("userdel", [this.name], { reject: false });
    rmSync(this.home, { recursive: true, force: true, maxRetries: 5 });
  }
}
