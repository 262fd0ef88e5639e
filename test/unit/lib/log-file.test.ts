import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { createFileLog } from "../../../src/lib/log-file.js";
import type { LogEvent } from "../../../src/lib/log.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const noon = () => new Date("2026-01-01T12:00:00.000Z");
const step: LogEvent = { kind: "step", subject: "chat-0", text: "start\nthe runner" };
const progress: LogEvent = { kind: "progress", subject: "chat", text: "model.gguf", current: 1, total: 2 };

describe("createFileLog", () => {
  it("appends each event as one line of JSON with its time, at once", async () => {
    const path = join(await temporaryFolder(), "logs", "a.jsonl");
    const log = createFileLog(path, noon);
    log(step);
    expect(await readFile(path, "utf8")).toBe(
      '{"time":"2026-01-01T12:00:00.000Z","kind":"step","subject":"chat-0","text":"start\\nthe runner"}\n',
    );
    log(progress);
    const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { time: "2026-01-01T12:00:00.000Z", ...step },
      { time: "2026-01-01T12:00:00.000Z", ...progress },
    ]);
  });

  it("makes neither file nor folder before the first event, and then a file for its owner alone", async () => {
    const folder = await temporaryFolder();
    const log = createFileLog(join(folder, "logs", "a.jsonl"), noon);
    expect(await readdir(folder)).toEqual([]);
    log(step);
    expect((await stat(join(folder, "logs", "a.jsonl"))).mode & 0o777).toBe(0o600);
  });

  it("keeps the newest twenty logs of the folder, its own among them, and every other file", async () => {
    const folder = await temporaryFolder();
    const older = Array.from(
      { length: 25 },
      (_, index) => `2025-01-${String(index + 1).padStart(2, "0")}T00-00-00.000Z-1.jsonl`,
    );
    await Promise.all([...older, "export.jsonl", "notes.txt"].map((file) => writeFile(join(folder, file), "")));
    createFileLog(join(folder, "2026-01-01T12-00-00.000Z-1.jsonl"), noon)(step);
    expect((await readdir(folder)).sort()).toEqual([
      ...older.slice(6),
      "2026-01-01T12-00-00.000Z-1.jsonl",
      "export.jsonl",
      "notes.txt",
    ]);
  });

  it("goes on in a file that is there already, and never removes it", async () => {
    const folder = await temporaryFolder();
    const others = Array.from({ length: 25 }, (_, index) => `2026-01-01T00-00-00.000Z-${index + 10}.jsonl`);
    await Promise.all(others.map((file) => writeFile(join(folder, file), "")));
    const path = join(folder, "a-quickstart.jsonl");
    await writeFile(path, "before\n");
    createFileLog(path, noon)(step);
    expect(await readFile(path, "utf8")).toMatch(/^before\n\{.*\}\n$/);
    expect(await readdir(folder)).toHaveLength(20);
  });
});
