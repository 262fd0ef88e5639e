import { appendFileSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";

import type { Log, LogEvent } from "./log.js";

/** An event as a log file has it, one JSON object a line. */
export type LoggedEvent = LogEvent & { time: string };

const keptFiles = 20;
/** Files named by the time they were begun; others in the folder are somebody else's. */
const named = /^\d{4}-\d{2}-\d{2}T[\w.-]+\.jsonl$/;

/**
 * A log that appends each event to a file as one line of JSON. Written at once, so that a killed process leaves all it
 * told. Of the files beside it the newest twenty are kept.
 */
export function createFileLog(path: string, now: () => Date): Log {
  let ready = false;
  return (event) => {
    if (!ready) {
      mkdirSync(dirname(path), { recursive: true });
      removeOldest(dirname(path), basename(path));
      ready = true;
    }
    const logged: LoggedEvent = { time: now().toISOString(), ...event };
    appendFileSync(path, `${JSON.stringify(logged)}\n`, { mode: 0o600 });
  };
}

function removeOldest(folder: string, own: string): void {
  const files = readdirSync(folder)
    .filter((file) => named.test(file) && file !== own)
    .sort();
  for (const file of files.slice(0, Math.max(0, files.length - keptFiles + 1)))
    rmSync(join(folder, file), { force: true });
}
