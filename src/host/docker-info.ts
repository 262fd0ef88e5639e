import { z } from "zod";

import type { Host } from "./host.js";

const infoSeconds = 15;

const info = z.object({
  DockerRootDir: z.string(),
  Runtimes: z.record(z.string(), z.unknown()).nullish(),
  CDISpecDirs: z.array(z.string()).nullish(),
});

/** What of a Docker Engine's configuration decides which containers it can run. */
export interface DockerInfo {
  /** Where it keeps images and containers. */
  readonly root: string;
  /** Container runtimes that it knows, by name. */
  readonly runtimes: readonly string[];
  /** Folders in which it looks for devices that containers may be given by CDI; none where that is off. */
  readonly cdiFolders: readonly string[];
}

/** Undefined where the engine does not tell. */
export async function findDockerInfo(host: Pick<Host, "run">, signal?: AbortSignal): Promise<DockerInfo | undefined> {
  const options = { timeoutSeconds: infoSeconds, ...(signal === undefined ? {} : { signal }) };
  const { exitCode, stdout } = await host.run(["docker", "info", "--format", "{{json .}}"], options);
  return exitCode === 0 ? readDockerInfo(stdout) : undefined;
}

/** Reads `docker info --format '{{json .}}'`. */
export function readDockerInfo(text: string): DockerInfo | undefined {
  try {
    const { DockerRootDir, Runtimes, CDISpecDirs } = info.parse(JSON.parse(text));
    return { root: DockerRootDir, runtimes: Object.keys(Runtimes ?? {}), cdiFolders: CDISpecDirs ?? [] };
  } catch {
    return undefined;
  }
}
