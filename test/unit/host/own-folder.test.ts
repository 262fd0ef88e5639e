import { expect, it } from "vitest";

import { findForeign } from "../../../src/host/own-folder.js";
import { MemoryHost } from "../support/memory-host.js";

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
