import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import { describe, expect, it } from "vitest";

import { repository } from "../support/toolchain.js";
import { temporaryFolder } from "../unit/support/temporary-folder.js";

const main = join(repository, "dist", "cli", "main.js");

/** Runs `berth` in a project with one of its streams read by nobody; what it said on the other one, and how it ended. */
async function runUnread(unread: "stdout" | "stderr", args: readonly string[]) {
  const cwd = await temporaryFolder();
  await writeFile(join(cwd, "Pulumi.yaml"), "name: shop\nruntime: nodejs\n");
  const child = spawn(process.execPath, [main, ...args], { cwd, stdio: ["ignore", "pipe", "pipe"] });
  child[unread].destroy();
  const other = text(unread === "stdout" ? child.stderr : child.stdout);
  const [exitCode] = (await once(child, "exit")) as [number | null];
  return { exitCode, other: await other };
}

describe("berth, when nobody reads any more what it writes", () => {
  it.each([
    ["a text of many pages", "stdout", ["schema", "lock"]],
    ["a few lines", "stdout", ["--help"]],
    ["an error", "stderr", ["lock"]],
  ] as const)("ends without a word, and with the exit code of other programs: %s", async (_, unread, args) => {
    expect(await runUnread(unread, args)).toEqual({ exitCode: 141, other: "" });
  });
});
