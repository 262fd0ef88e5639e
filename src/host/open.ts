import { posix } from "node:path";

import { baseEnvironment } from "./environment.js";
import type { Host, OpenHost } from "./host.js";
import { LocalHost } from "./local.js";

export interface OpenHostOptions {
  /** Of this process: what commands here get of it, and what ssh finds its agent by. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where relative paths begin. */
  readonly projectRoot: string;
}

/** Hosts by their connections. All that is done on one machine goes through one host. */
export function createOpenHost({ environment, projectRoot }: OpenHostOptions): OpenHost {
  const commands = baseEnvironment(environment);
  return (reference): Host => {
    if (reference.connection === "local") return new LocalHost(reference.name, commands);
    throw new Error(`ssh ${posix.resolve(projectRoot)}`);
  };
}
