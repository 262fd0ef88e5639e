import { userInfo } from "node:os";
import { resolve } from "node:path";

import { baseEnvironment, connectionFolder, sshEnvironment } from "./environment.js";
import type { OpenHost } from "./host.js";
import { LocalHost } from "./local.js";
import { defaultSshPace } from "./ssh-target.js";
import { SshHost } from "./ssh.js";

export interface OpenHostOptions {
  /** Of this process: what commands on this machine get of it, and what ssh finds its agent by. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where relative paths begin. */
  readonly projectRoot: string;
}

/** Hosts by their connections. What is done on one machine by ssh shares one host, and so its connection. */
export function createOpenHost({ environment, projectRoot }: OpenHostOptions): OpenHost {
  const commands = baseEnvironment(environment);
  const settings = {
    folder: connectionFolder(environment, userInfo().uid),
    environment: sshEnvironment(environment),
    pace: defaultSshPace,
  };
  const known = new Map<string, SshHost>();
  return (reference) => {
    const { name, connection } = reference;
    if (connection === "local") return new LocalHost(name, commands);
    const { configFile, downloads, ...target } = reference.ssh;
    const key = JSON.stringify([name, reference.ssh]);
    const config = configFile === undefined ? {} : { configFile: resolve(projectRoot, configFile) };
    const host = known.get(key) ?? new SshHost({ name, ...target, ...config }, settings, { downloads });
    known.set(key, host);
    return host;
  };
}
