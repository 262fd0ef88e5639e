import { posix } from "node:path";

import { z } from "zod";

import type { Host } from "../host/host.js";
import { dataPaths } from "../host/paths.js";
import { canonicalJson, sha256, type Json } from "../lib/canonical.js";
import { instanceFolderName, runnerId } from "../runtime/runner-id.js";
import type { RunnerSpec, Supervisor } from "../runtime/supervisor.js";
import { healthRequest } from "../schema/backend.js";
import { usedMemory } from "../schema/placement.js";
import { category } from "../schema/scalars.js";

const instanceRecord = z.strictObject({
  schemaVersion: z.literal(1),
  /** Keeps anyone who sees a generation's name from guessing the secrets in it. */
  salt: z.string(),
  /** The generation that was verified last. */
  current: z.string().optional(),
  /** How it was when it was verified. */
  runtime: z.string().optional(),
  target: z
    .strictObject({
      address: z.string(),
      port: z.int(),
      healthPath: z.string(),
      model: z.string(),
      modelPath: z.string().optional(),
      request: healthRequest.optional(),
      category: category.optional(),
      apiKeyVariable: z.string().optional(),
    })
    .optional(),
  /** Where generations listen behind the gateway, by their names; clients ask one without a port themselves. */
  ports: z.record(z.string(), z.int()).optional(),
  /** The accelerators that it was given. */
  devices: z.array(z.string()).optional(),
  /** The memory of each that is its own; left out where it has them whole. */
  deviceBytes: z.record(z.string(), z.int()).optional(),
  /** The start of the machine in which it was verified, for devices of which nothing but the number is known. */
  bootId: z.string().optional(),
  usedMemory: usedMemory.optional(),
  startSeconds: z.number().optional(),
  stopSeconds: z.number().optional(),
  restarts: z.int().default(0),
  pid: z.int().default(0),
});

/** What the host remembers of an instance. */
export type InstanceRecord = z.output<typeof instanceRecord>;

/** Where an instance's files are: its record, and a folder for each generation. No part of the name holds a `+`. */
export function instanceFolder(dataDir: string, owner: string, name: string): string {
  return posix.join(dataPaths(dataDir).instances, instanceFolderName(owner, name));
}

export function generationFolder(instance: string, generation: string): string {
  return posix.join(instance, generation);
}

/** The name of a generation: equal for what runs equally, different for anything else. */
export function nameGeneration(salt: string, spec: Pick<RunnerSpec, "argv" | "environment">, basis: Json): string {
  return sha256(`${salt}\n${canonicalJson({ argv: spec.argv, environment: spec.environment, basis })}`).slice(0, 12);
}

export async function readRecord(host: Host, folder: string): Promise<InstanceRecord | undefined> {
  const text = await host.readText(posix.join(folder, "record.json"));
  if (text === undefined) return undefined;
  try {
    return instanceRecord.parse(JSON.parse(text));
  } catch {
    // Changed by hand: as good as missing.
    return undefined;
  }
}

export async function writeRecord(host: Host, folder: string, record: InstanceRecord): Promise<void> {
  await host.makeDirectory(folder, 0o700);
  await host.writeFile(posix.join(folder, "record.json"), `${JSON.stringify(record)}\n`, 0o600);
}

/** Generations that have a folder, or that one of the supervisors knows. */
export async function listGenerations(
  host: Host,
  folder: string,
  supervisors: readonly Pick<Supervisor, "list">[] = [],
): Promise<string[]> {
  const ids = (await Promise.all(supervisors.map((supervisor) => supervisor.list()))).flat();
  return generationsAmong(host, folder, ids);
}

/** The same, with those too of which nothing but the runner itself is left. */
export async function findGenerations(
  host: Host,
  folder: string,
  supervisors: readonly Pick<Supervisor, "list" | "findLost">[],
): Promise<string[]> {
  const none = Promise.resolve<string[]>([]);
  const known = supervisors.flatMap((supervisor) => [supervisor.list(), supervisor.findLost?.(folder) ?? none]);
  return generationsAmong(host, folder, (await Promise.all(known)).flat());
}

async function generationsAmong(host: Host, folder: string, ids: readonly string[]): Promise<string[]> {
  const prefix = runnerId(folder, "");
  const defined = ids.filter((id) => id.startsWith(prefix)).map((id) => id.slice(prefix.length));
  const names = new Set([...(await host.list(folder)), ...defined]);
  return [...names].filter((name) => /^[0-9a-f]{12}$/.test(name)).sort();
}
