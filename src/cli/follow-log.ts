import { open } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

import { systemCode } from "../lib/errors.js";
import type { LogEvent } from "../lib/log.js";

const pauseMilliseconds = 150;

/** Reads the events of a log file as another process writes them, until `running` ends; then what is left. */
export async function followLog(
  path: string,
  running: Promise<unknown>,
  onEvent: (event: LogEvent) => void,
): Promise<void> {
  const state = { ended: false };
  const end = () => {
    state.ended = true;
  };
  running.then(end, end);
  let position = 0;
  let rest = "";
  for (;;) {
    const last = state.ended;
    const read = await readFrom(path, position);
    position += read.byteLength;
    const lines = (rest + read.toString("utf8")).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onEvent(JSON.parse(line) as LogEvent);
    if (last) return;
    await delay(pauseMilliseconds);
  }
}

async function readFrom(path: string, position: number): Promise<Buffer> {
  try {
    const file = await open(path);
    try {
      const { size } = await file.stat();
      const buffer = Buffer.alloc(Math.max(0, size - position));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (systemCode(error) === "ENOENT") return Buffer.alloc(0);
    throw error;
  }
}
