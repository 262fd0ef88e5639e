import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { execa } from "execa";

import { baseEnvironment } from "../../src/host/environment.js";
import { systemdImage } from "./systemd-image.js";
import { repository, toolchain } from "./toolchain.js";

const bootSeconds = 60;
const pulumiFolder = "/opt/pulumi";
/** Unlike `/tmp` it outlives a boot. */
const temporaryFolder = "/var/tmp";
const user = { name: "berth", id: 1000 };

export type Account = "root" | "user";

/** Why this machine cannot run the container; undefined when it can. */
export async function whyNoContainer(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return "it needs root, to build the image";
  const { exitCode } = await execa("docker", ["version"], { reject: false });
  return exitCode === 0 ? undefined : "it needs a container engine";
}

/**
 * A machine of its own, as far as systemd is concerned: a container in which systemd is the first process. It has the
 * repository at the same path, this machine's Node, network and certificates, the Pulumi CLI, and an unprivileged user
 * whose services run without a login.
 */
export class SystemdContainer {
  private constructor(readonly name: string) {}

  static async start(): Promise<SystemdContainer> {
    const image = await systemdImage();
    const container = new SystemdContainer(`berth-test-${randomBytes(4).toString("hex")}`);
    try {
      await execa("docker", ["run", "--detach", ...(await options(container.name)), image, ...firstProcess()]);
      await container.#boot();
      await container.#prepare();
      return container;
    } catch (error) {
      await container.remove();
      throw error;
    }
  }

  /** Runs a command in the repository; throws when it fails. */
  async run(argv: readonly string[], account: Account = "root"): Promise<string> {
    const environment = Object.entries(environmentOf(account)).map(([name, value]) => `--env=${name}=${value}`);
    const as = `--user=${account === "root" ? "root" : user.name}`;
    const command = ["exec", as, `--workdir=${repository}`, ...environment, this.name, ...argv];
    const { exitCode, all } = await execa("docker", command, { all: true, reject: false });
    if (exitCode !== 0) throw new Error(`${argv.join(" ")}: exit code ${String(exitCode)}\n${all}`);
    return all;
  }

  /** Ends everything in it at once, as a loss of power does, and boots it again. */
  async reboot(): Promise<void> {
    await execa("docker", ["restart", "--time=0", this.name]);
    await this.#boot();
  }

  async remove(): Promise<void> {
    await execa("docker", ["rm", "--force", "--volumes", this.name], { reject: false });
  }

  async #boot(): Promise<void> {
    let state = "";
    for (let waited = 0; waited < bootSeconds && state !== "running"; waited += 0.5) {
      const asked = await execa("docker", ["exec", this.name, "systemctl", "is-system-running"], { reject: false });
      state = asked.stdout.trim();
      if (state !== "running") await delay(500);
    }
    if (state === "running") return;
    const { stdout } = await execa("docker", ["logs", "--tail=30", this.name], { reject: false });
    throw new Error(`systemd is not running after ${bootSeconds} s but "${state}"\n${stdout}`);
  }

  async #prepare(): Promise<void> {
    await this.run(["useradd", "--create-home", `--uid=${user.id}`, user.name]);
    // The mount made the folders above the repository, some of which may be closed to others than root.
    for (let folder = dirname(repository); folder !== "/"; folder = dirname(folder))
      await this.run(["chmod", "o+rx", folder]);
    await this.run(["loginctl", "enable-linger", user.name]);
    await this.run(["systemctl", "start", `user@${user.id}.service`]);
  }
}

async function options(name: string): Promise<string[]> {
  const { binDir } = await toolchain();
  const pulumi = dirname(await realpath(join(binDir, "pulumi")));
  const shared = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf"].filter((path) => existsSync(path));
  const mounts = [
    `${repository}:${repository}`,
    `${process.execPath}:/usr/local/bin/node:ro`,
    `${pulumi}:${pulumiFolder}:ro`,
    ...shared.map((path) => `${path}:${path}:ro`),
    ...(isUnified() ? [] : ["/sys/fs/cgroup/systemd:/sys/fs/cgroup/systemd:rw"]),
  ];
  return [
    `--name=${name}`,
    "--label=berth.test=1",
    "--cap-add=SYS_ADMIN",
    "--security-opt=seccomp=unconfined",
    "--security-opt=apparmor=unconfined",
    "--cgroupns=private",
    "--network=host",
    "--tmpfs=/run:exec,mode=755",
    ...mounts.map((mount) => `--volume=${mount}`),
  ];
}

/** Whether this machine has control groups of version 2 alone. */
function isUnified(): boolean {
  return existsSync("/sys/fs/cgroup/cgroup.controllers");
}

/** systemd; where control groups have version 2, their tree, which is the container's own, is made writable first. */
function firstProcess(): string[] {
  return isUnified() ? ["/bin/sh", "-c", "mount -o remount,rw /sys/fs/cgroup && exec /sbin/init"] : ["/sbin/init"];
}

function environmentOf(account: Account): Record<string, string> {
  const { DBUS_SESSION_BUS_ADDRESS: _bus, XDG_RUNTIME_DIR: _folder, ...base } = baseEnvironment(process.env);
  return {
    ...base,
    PATH: `${pulumiFolder}:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    HOME: account === "root" ? "/root" : `/home/${user.name}`,
    TMPDIR: temporaryFolder,
    ...(account === "root" ? {} : { XDG_RUNTIME_DIR: `/run/user/${user.id}` }),
  };
}
