import { readdir, readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { z } from "zod";

import { processStart } from "../host/process.js";
import type { Updater } from "../lock/applied.js";
import type { Pulumi } from "./workplace.js";

const stateLock = z.object({ pid: z.int(), username: z.string(), hostname: z.string(), timestamp: z.string() });

/** Who changes a stack, as Pulumi writes it down. */
export type StateLock = z.output<typeof stateLock>;

/** The locks on a stack of a file state; undefined for another state, whose locks nobody tells. */
export async function readStateLocks(
  { backendUrl, project }: Pick<Pulumi, "backendUrl" | "project">,
  stack: string,
): Promise<StateLock[] | undefined> {
  if (!backendUrl.startsWith("file://")) return undefined;
  const folder = join(fileURLToPath(backendUrl), ".pulumi", "locks");
  const files = await readdir(folder, { recursive: true }).catch(() => []);
  const own = files.filter((file) => file.endsWith(".json") && dirname(file) === join("organization", project, stack));
  return Promise.all(own.map(async (file) => stateLock.parse(JSON.parse(await readFile(join(folder, file), "utf8")))));
}

export function describeHolder({ pid, username, hostname: machine, timestamp }: StateLock): string {
  return `process ${pid} of ${username} on ${machine}, since ${timestamp}`;
}

/** Whether the process that holds a lock lives; `unknown` for one of another machine. */
export async function holderState(lock: StateLock): Promise<"alive" | "dead" | "unknown"> {
  if (lock.hostname !== hostname()) return "unknown";
  const started = await processStart(lock.pid);
  // A process that began after the lock was made has only the same number.
  return started === undefined || started.getTime() > Date.parse(lock.timestamp) + 1000 ? "dead" : "alive";
}

/** Who changes a stack now. */
export async function findUpdater(pulumi: Pick<Pulumi, "backendUrl" | "project">, stack: string): Promise<Updater> {
  const locks = await readStateLocks(pulumi, stack);
  if (locks === undefined) return { kind: "unknown" };
  for (const lock of locks) {
    const state = await holderState(lock);
    if (state !== "dead") return { kind: state === "alive" ? "running" : "elsewhere", holder: describeHolder(lock) };
  }
  return { kind: "none" };
}
