import { describe, expect, it } from "vitest";

import {
  describeOpen,
  listEntries,
  readEntry,
  removeEntry,
  writeEntry,
  type JournalEntry,
} from "../../../src/host/journal.js";
import { MemoryHost } from "../support/memory-host.js";
import { rejectionOf } from "../support/thrown.js";

const entry: JournalEntry = {
  schemaVersion: 1,
  owner: "shop/dev",
  kind: "Instance",
  name: "chat-0",
  uses: "instances/shop/dev/chat-0",
  identity: "first",
  recorded: false,
  open: { operation: "update", step: "stop the old runner", number: 3 },
};

const path = "/data/journal/shop+dev+Instance+chat-0+6eb00961.json";

describe("the journal", () => {
  it("remembers an entry until it is removed", async () => {
    const host = new MemoryHost();
    expect(await readEntry(host, "/data", entry)).toBeUndefined();
    await writeEntry(host, "/data", entry);
    expect(await readEntry(host, "/data", entry)).toEqual(entry);
    await writeEntry(host, "/data", { ...entry, recorded: true });
    expect(await readEntry(host, "/data", entry)).toEqual({ ...entry, recorded: true });
    await removeEntry(host, "/data", entry);
    expect(await readEntry(host, "/data", entry)).toBeUndefined();
    await removeEntry(host, "/data", entry);
  });

  it("keeps the entries of owners, kinds, names and uses apart, in files of its folder", async () => {
    const host = new MemoryHost();
    const others = [
      { owner: "shop/prod" },
      { owner: "shop.dev/Instance" },
      { kind: "ModelFiles" },
      { name: "chat-1" },
      { uses: "instances/shop/dev/chat" },
    ];
    const entries = [entry, ...others.map((other) => ({ ...entry, ...other }))];
    for (const each of entries) await writeEntry(host, "/data", each);
    for (const each of entries) expect(await readEntry(host, "/data", each)).toEqual(each);
    expect([...host.files.keys()].every((file) => /^\/data\/journal\/[^/]+\.json$/.test(file))).toBe(true);
    const listed = await listEntries(host, "/data");
    expect(listed).toHaveLength(entries.length);
    expect(listed).toEqual(expect.arrayContaining(entries));
  });

  it("lists nothing where there is no journal, and passes over files that are being written", async () => {
    const host = new MemoryHost();
    expect(await listEntries(host, "/data")).toEqual([]);
    host.files.set(`${path}.0123456789ab.tmp`, "{");
    expect(await listEntries(host, "/data")).toEqual([]);
  });

  it.each(["", "{", "{}", JSON.stringify({ ...entry, schemaVersion: 2 }), JSON.stringify({ ...entry, more: 1 })])(
    "refuses an entry that this version did not write, and names the file: %j",
    async (text) => {
      const host = new MemoryHost();
      host.files.set(path, text);
      for (const attempt of [readEntry(host, "/data", entry), listEntries(host, "/data")]) {
        const error = await rejectionOf(attempt);
        expect(error.code).toBe("lock-incompatible");
        expect(error.message.startsWith(`host memory: ${path}: this journal entry`)).toBe(true);
      }
    },
  );

  it("tells an open operation in words", () => {
    expect(describeOpen({ operation: "update", step: "stop the old runner", number: 3 })).toBe(
      "update, step 3: stop the old runner",
    );
  });
});
