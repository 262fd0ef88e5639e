/** What is written down on a host of a subordinate that was proven. */
import { posix } from "node:path";

import { z } from "zod";

import type { Host } from "../host/host.js";
import { hostClaim } from "../schema/facts.js";

const subordinateRecord = z.strictObject({
  schemaVersion: z.literal(1),
  /** Names this start of it: a primary that was started with another one has lost what it had there. */
  start: z.string(),
  /** Processes of the server, and of what stands before it. */
  pids: z.array(z.int()),
  claims: z.array(hostClaim),
});

export type SubordinateRecord = z.output<typeof subordinateRecord>;

export async function readSubordinate(host: Host, folder: string): Promise<SubordinateRecord | undefined> {
  const text = await host.readText(recordPath(folder));
  if (text === undefined) return undefined;
  try {
    return subordinateRecord.parse(JSON.parse(text));
  } catch {
    // Changed by hand: as good as missing.
    return undefined;
  }
}

export async function writeSubordinate(host: Host, folder: string, record: SubordinateRecord): Promise<void> {
  await host.makeDirectory(folder, 0o700);
  await host.writeFile(recordPath(folder), `${JSON.stringify(record)}\n`, 0o600);
}

function recordPath(folder: string): string {
  return posix.join(folder, "record.json");
}
