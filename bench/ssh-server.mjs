import { execFile, spawn } from "node:child_process";
import { copyFile, mkdir, mkdtemp, realpath, rm, writeFile, readFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);
const sshd = "/usr/sbin/sshd";

/** A real sshd on loopback for the user who runs the benchmark, with keys of its own, in a temporary folder. */
export async function startSshServer() {
  if (process.getuid() === 0) await mkdir("/run/sshd", { recursive: true, mode: 0o755 });
  // Sockets' paths have to be short.
  const folder = await realpath(await mkdtemp("/tmp/bb-"));
  const at = (name) => join(folder, name);
  for (const key of ["host", "user"]) await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", at(key)]);
  await copyFile(at("user.pub"), at("authorized"));
  const port = await freePort();
  const lines = [
    ...["ListenAddress 127.0.0.1", `Port ${port}`, `HostKey ${at("host")}`, `AuthorizedKeysFile ${at("authorized")}`],
    ...["PidFile none", "StrictModes no", "UsePAM no", "PasswordAuthentication no", "PermitRootLogin yes"],
    // Not this user's startup files and programs: each host of a benchmark would run them, all on this machine.
    ...["MaxStartups 200", `SetEnv PATH=/usr/bin:/bin HOME=${folder}`],
  ];
  await writeFile(at("sshd_config"), `${lines.join("\n")}\n`);
  const child = spawn(sshd, ["-D", "-e", "-f", at("sshd_config")], { stdio: ["ignore", "ignore", "ignore"] });
  await untilListening(port);
  await mkdir(at("s"), { mode: 0o700 });
  const key = await readFile(at("host.pub"), "utf8");
  return {
    port,
    /** Whom a host has to reach by a port of loopback that leads to this server. */
    async target(name, through = port) {
      await writeFile(at(`known-${through}`), `[127.0.0.1]:${through} ${key}`);
      const files = [`IdentityFile ${at("user")}`, `UserKnownHostsFile ${at(`known-${through}`)}`];
      const configuration = [
        "Host *",
        "IdentitiesOnly yes",
        "IdentityAgent none",
        "GlobalKnownHostsFile none",
        ...files,
      ];
      await writeFile(at(`config-${through}`), `${configuration.join("\n  ")}\n`);
      const configFile = at(`config-${through}`);
      return { name, address: "127.0.0.1", user: userInfo().username, port: through, configFile };
    },
    settings: (pace) => ({ folder: at("s"), environment: { PATH: process.env.PATH, HOME: process.env.HOME }, pace }),
    async close() {
      child.kill("SIGTERM");
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

async function untilListening(port) {
  for (let tries = 0; tries < 100; tries += 1) {
    if (await answers(port)) return;
    await delay(50);
  }
  throw new Error("sshd does not listen");
}

function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true) || socket.destroy());
    socket.once("error", () => resolve(false));
  });
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
