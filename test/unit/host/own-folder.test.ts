import { chown, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { expect, it } from "vitest";

import { LocalHost } from "../../../src/host/local.js";
import { assertOwner, findForeign } from "../../../src/host/own-folder.js";
import { MemoryHost } from "../support/memory-host.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { rejectionOf } from "../support/thrown.js";

function hostWith(...names: string[]): MemoryHost {
  const host = new MemoryHost();
  for (const name of names) host.files.set(`/data/${name}`, "");
  return host;
}

it.each([
  ["nothing", [], []],
  ["what Berth makes", ["lock.json", "claims/port-1.json", "cache/x", "lost+found/x"], []],
  ["what others leave who wait for the host lock", ["lock.json.ab12.tmp", "lock.json.ab12.takeover"], []],
  ["things of others", ["lock.json", "notes.txt", "lock.json.bak", "x.tmp"], ["lock.json.bak", "notes.txt", "x.tmp"]],
  ["things of others in a folder that is marked as Berth's", ["berth.json", "notes.txt"], []],
])("of %s the foreign is found", async (_, names, foreign) => {
  expect(await findForeign(hostWith(...names), "/data")).toEqual(foreign);
});

it.runIf(process.getuid?.() === 0)(
  "a folder that another user has made is not taken over (only root can try)",
  async () => {
    const dataDir = join(await temporaryFolder(), "data");
    await mkdir(dataDir);
    const marker = join(dataDir, "berth.json");
    await writeFile(marker, "{}");
    const host = new LocalHost("local", { PATH: process.env.PATH ?? "", HOME: "/" });
    await assertOwner(host, dataDir);
    await chown(marker, 12345, 12345);
    const error = await rejectionOf(assertOwner(host, dataDir));
    expect(error.code).toBe("host-foreign");
    expect(error.message).toContain("the data directory was made as another user of the host");
  },
);
