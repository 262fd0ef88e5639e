/** A Docker Engine of its own, for tests that stop it or fill its disk: the machine's own one goes on beside it. */
import { execFileSync } from "node:child_process";
import { randomBytes, randomInt } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { execa } from "execa";

import { baseEnvironment } from "../../src/host/environment.js";
import { dockerSocket } from "../../src/host/docker-socket.js";
import { LocalHost } from "../../src/host/local.js";

/** Why none can be started here; undefined when one can. */
export const whyNoPrivateEngine = findReason();

const startSeconds = 60;

export class PrivateEngine {
  /** Where its data is, below `root`. */
  readonly #root: string;
  readonly #bridge = `bt${randomBytes(4).toString("hex")}`;
  #process: ReturnType<typeof run> | undefined;

  private constructor(
    readonly folder: string,
    root: string,
  ) {
    this.#root = root;
  }

  /** @param root where its images and containers are to be; by default a folder of its own */
  static async start(root?: string): Promise<PrivateEngine> {
    // Paths of sockets are short.
    const folder = mkdtempSync("/tmp/be-");
    const engine = new PrivateEngine(folder, root ?? join(folder, "data"));
    try {
      mkdirSync(engine.#root, { recursive: true });
      const subnet = `10.${randomInt(200, 250)}.${randomInt(256)}.1/24`;
      execFileSync("ip", ["link", "add", engine.#bridge, "type", "bridge"]);
      execFileSync("ip", ["address", "add", subnet, "dev", engine.#bridge]);
      execFileSync("ip", ["link", "set", engine.#bridge, "up"]);
      await engine.start();
    } catch (error) {
      await engine.dispose();
      throw error;
    }
    return engine;
  }

  get socket(): string {
    return join(this.folder, "docker.sock");
  }

  /** This machine, as one whose Docker is this engine. */
  get host(): LocalHost {
    return new EngineHost(this.socket);
  }

  /** Runs Docker's own client. */
  async docker(args: readonly string[]): Promise<string> {
    return (await execa("docker", ["--host", `unix://${this.socket}`, ...args])).stdout;
  }

  /** Starts it again, and waits until it answers. */
  async start(): Promise<void> {
    const { folder } = this;
    const running = run({
      "data-root": this.#root,
      "exec-root": join(folder, "exec"),
      pidfile: join(folder, "pid"),
      host: `unix://${this.socket}`,
      bridge: this.#bridge,
    });
    this.#process = running;
    const begun = Date.now();
    while (running.exitCode === null && Date.now() - begun < startSeconds * 1000) {
      const { exitCode } = await execa("docker", ["--host", `unix://${this.socket}`, "version"], { reject: false });
      if (exitCode === 0) return;
      await delay(50);
    }
    running.kill("SIGKILL");
    throw new Error(`dockerd did not start:\n${(await running).stderr.slice(-5000)}`);
  }

  /** Ends it: asked to, it stops its containers first; killed, it leaves them. */
  async stop(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    this.#process?.kill(signal);
    await this.#process;
    this.#process = undefined;
    // Its containerd ends with it. An engine that finds the number of its process, which may be dead, starts none.
    rmSync(join(this.folder, "exec", "containerd", "containerd.pid"), { force: true });
  }

  /** Takes everything away, also what a kill has left. */
  async dispose(): Promise<void> {
    await this.stop("SIGTERM");
    // Containers of an engine that was killed belong to nobody; their shims name its folder.
    const pids = execFileSync("ps", ["-axww", "-o", "pid=,command="], { encoding: "utf8" })
      .split("\n")
      .filter((line) => line.includes(`${this.folder}/`))
      .map((line) => Number.parseInt(line, 10));
    for (const pid of pids) await execa("kill", ["-KILL", String(pid)], { reject: false });
    for (const mount of mountsBelow(this.folder, this.#root))
      await execa("umount", ["--lazy", mount], { reject: false });
    await execa("ip", ["link", "delete", this.#bridge], { reject: false });
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

class EngineHost extends LocalHost {
  readonly #socket: string;

  constructor(socket: string) {
    super("local", baseEnvironment(process.env));
    this.#socket = socket;
  }

  override openSocket(path: string): Promise<Socket> {
    return super.openSocket(path === dockerSocket ? this.#socket : path);
  }
}

function run(own: Readonly<Record<string, string>>) {
  // The machine's rules for packets are its other engine's, as is its bridge, which `--bridge=none` would remove.
  const shared = ["iptables", "ip6tables", "ip-forward", "ip-masq"].map((name) => `--${name}=false`);
  const args = [...Object.entries(own).map(([name, value]) => `--${name}=${value}`), ...shared];
  return execa("dockerd", args, { stdin: "ignore", stdout: "ignore", reject: false });
}

function mountsBelow(...folders: readonly string[]): string[] {
  const points = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "");
  return points.filter((point) => folders.some((folder) => point.startsWith(`${folder}/`))).toReversed();
}

function findReason(): string | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "only root of Linux starts a Docker Engine";
  try {
    for (const args of [
      ["dockerd", "--version"],
      ["ip", "-V"],
    ])
      execFileSync(args[0] ?? "", args.slice(1));
    return undefined;
  } catch (error) {
    return `it needs dockerd and ip: ${String(error)}`;
  }
}
