import { mkdir, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { describe, expect, it } from "vitest";

import { findUpdater, type StateLock } from "../../../src/cli/state-locks.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const stack = { organization: "organization", project: "shop", name: "prod" } as const;

async function stateWith(...locks: Partial<StateLock>[]) {
  const root = await temporaryFolder();
  const folder = join(root, ".pulumi", "locks", ...Object.values(stack));
  await mkdir(folder, { recursive: true });
  const own: StateLock = {
    pid: process.pid,
    username: "ada",
    hostname: hostname(),
    timestamp: new Date().toISOString(),
  };
  for (const [index, lock] of locks.entries())
    await writeFile(join(folder, `${index}.json`), JSON.stringify({ ...own, ...lock }));
  return { backendUrl: pathToFileURL(root).href, project: stack.project };
}

describe("who changes a stack", () => {
  const dead = { timestamp: "2001-01-01T00:00:00Z" };

  it("is the process that holds the lock on its state, while it lives", async () => {
    const holder = expect.stringMatching(new RegExp(`^process ${process.pid} of ada on .*, since `)) as string;
    expect(await findUpdater(await stateWith(dead, {}), "prod")).toEqual({ kind: "running", holder });
  });

  it.each([
    ["nobody without a lock", []],
    ["nobody when the holder is dead", [dead]],
  ])("is %s", async (_, locks) => {
    expect(await findUpdater(await stateWith(...locks), "prod")).toEqual({ kind: "none" });
  });

  it("is not who changes another stack", async () => {
    expect(await findUpdater(await stateWith({}), "dev")).toEqual({ kind: "none" });
  });

  it("may be a process of another machine, of which nobody knows here whether it lives", async () => {
    const found = await findUpdater(await stateWith({ hostname: "elsewhere", pid: 7 }), "prod");
    expect(found).toMatchObject({
      kind: "elsewhere",
      holder: expect.stringContaining("7 of ada on elsewhere") as string,
    });
  });

  it("is not told by a state that is not in files", async () => {
    expect(await findUpdater({ backendUrl: "https://api.pulumi.com", project: "shop" }, "prod")).toEqual({
      kind: "unknown",
    });
  });
});
