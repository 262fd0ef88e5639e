import { mkdtemp, readFile, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { execa } from "execa";

import { baseEnvironment } from "../../src/host/environment.js";
import { LocalHost } from "../../src/host/local.js";
import { createContent } from "../../src/install/content.js";
import { systemClock } from "../../src/lib/clock.js";
import { Serial } from "../../src/lib/serial.js";
import { haproxyArguments } from "../../src/runtime/haproxy-configuration.js";
import { ModelGateway } from "../../src/runtime/model-gateway.js";
import type { ModelGatewaySettings } from "../../src/runtime/model-gateway-settings.js";
import { endProcess, execPath, findRunner, outputPath, writeRunnerFiles } from "../../src/runtime/runner-files.js";
import { repository } from "./toolchain.js";

export const haproxy = "/usr/sbin/haproxy";

/** A gateway that routes by model, with the processes that a supervisor would keep alive. */
export class RunningModelGateway {
  private constructor(
    readonly host: LocalHost,
    readonly dataDir: string,
    readonly gateway: ModelGateway,
  ) {}

  /** @param edit changes its files, by name, before HAProxy is started with them */
  static async create(
    settings: ModelGatewaySettings,
    edit: Readonly<Record<string, (text: string) => string>> = {},
  ): Promise<RunningModelGateway> {
    const host = new LocalHost("local", baseEnvironment(process.env));
    const dataDir = await realpath(await mkdtemp(join(tmpdir(), "berth models ")));
    const content = createContent(repository, repository);
    const gateway = new ModelGateway({
      ...{ host, dataDir, owner: "shop/dev", clock: systemClock, serial: new Serial() },
      findPython: () => Promise.resolve("python3"),
      script: () => content.pythonTool("unix_socket.py"),
    });
    const running = new RunningModelGateway(host, dataDir, gateway);
    try {
      await gateway.prepare(settings, haproxy);
      for (const [file, change] of Object.entries(edit)) {
        const path = join(gateway.paths.folder, file);
        await host.writeFile(path, change((await host.readText(path)) ?? ""), 0o600);
      }
      await running.start();
    } catch (error) {
      await running.dispose();
      throw error;
    }
    return running;
  }

  async start(): Promise<void> {
    const { paths } = this.gateway;
    const launcher = join(repository, "tools", "python", "exec.py");
    for (const [folder, socket] of [
      [paths.largeFolder, paths.largeSocket],
      [paths.folder, paths.socket],
    ] as const) {
      const argv = haproxyArguments(haproxy, { socket, configuration: "haproxy.cfg" });
      const limits = { startSeconds: 5, stopSeconds: 5 };
      const environment = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };
      await writeRunnerFiles(this.host, { id: "models", folder, argv, environment, ...limits });
      const to = { file: outputPath(folder) };
      const options = { stdin: "ignore", stdout: to, stderr: to, detached: true, reject: false } as const;
      execa("python3", ["-I", launcher, execPath(folder)], options).unref();
    }
    if (!(await this.gateway.awaitAnswer())) throw new Error(`the gateway does not answer: ${await this.output()}`);
  }

  /** What HAProxy wrote: its access log. */
  async output(): Promise<string> {
    return readFile(outputPath(this.gateway.paths.folder), "utf8");
  }

  apply(settings: ModelGatewaySettings): Promise<void> {
    return this.gateway.apply(settings, haproxy);
  }

  /** Process ids of its workers and its masters. */
  async processes(): Promise<number[]> {
    const { socket, largeSocket } = this.gateway.paths;
    const found = [socket, largeSocket].map((path) =>
      this.host.findProcesses([`${path},mode,600`, "-f", "haproxy.cfg"]),
    );
    return (await Promise.all(found)).flat();
  }

  async dispose(): Promise<void> {
    const { paths } = this.gateway;
    for (const folder of [paths.folder, paths.largeFolder])
      await endProcess(this.host, () => findRunner(this.host, folder), 5, systemClock);
    await rm(this.dataDir, { recursive: true, force: true });
    await rm(paths.socketFolder, { recursive: true, force: true });
  }
}
