import { describe, expect, it } from "vitest";

import { claimsOf, listClaims, reserveClaims } from "../../../src/host/claims.js";
import { writeEntry, type JournalEntry } from "../../../src/host/journal.js";
import { findOrphans, hostInputs, hostKind, inventoryKey, isUnwanted } from "../../../src/resources/host.js";
import { contextOf, operationOf } from "../support/contexts.js";
import { FakeSupervisor } from "../support/fake-supervisor.js";
import { MemoryHost } from "../support/memory-host.js";
import { rejectionOf } from "../support/thrown.js";

const inputs = hostInputs.parse({
  name: "local",
  owner: "shop/dev",
  host: { name: "local", connection: "local", dataDir: "/data" },
  inventory: ["ModelFiles/local.abc", "Instance/chat-0"],
});
const left: JournalEntry = {
  schemaVersion: 1,
  owner: "shop/dev",
  kind: "Instance",
  name: "old-0",
  uses: "instances/shop/dev/old-0",
  identity: "first",
  recorded: false,
};

describe("findOrphans", () => {
  it("finds what an interrupted run left: never recorded, and wanted no more", () => {
    expect(findOrphans([left], inputs)).toEqual([left]);
  });

  it("finds it whether its operation was closed or not", () => {
    const open = { ...left, open: { operation: "create", step: "start the runner", number: 1 } } as const;
    expect(findOrphans([open], inputs)).toEqual([open]);
  });

  it.each<[string, Partial<JournalEntry>]>([
    ["is wanted", { name: "chat-0" }],
    ["the state knows, and will take away itself", { recorded: true }],
    ["is somebody else's", { owner: "shop/prod" }],
    ["is the host", { kind: "Host", name: "local" }],
    ["is a host that goes", { kind: "Host", name: "other" }],
  ])("does not take for one what %s", (_, change) => {
    expect(findOrphans([{ ...left, ...change }], inputs)).toEqual([]);
  });

  it("does not mistake a name of one kind for one of another", () => {
    expect(findOrphans([{ ...left, kind: "ModelFiles", name: "chat-0" }], inputs)).toHaveLength(1);
    expect(inventoryKey("Instance", "chat-0")).toBe("Instance/chat-0");
  });
});

describe("hostInputs", () => {
  it("sorts the inventory, so that its order makes no difference", () => {
    expect(inputs.inventory).toEqual(["Instance/chat-0", "ModelFiles/local.abc"]);
  });
});

describe("preparing a host", () => {
  const converge = async (host: MemoryHost) =>
    hostKind(() => Promise.resolve()).converge(contextOf(host), operationOf().operation, inputs);

  it("marks a folder that is empty, or holds what Berth has left there", async () => {
    const host = new MemoryHost();
    host.files.set("/data/cache/m.whl", "");
    host.files.set("/data/lost+found/x", "");
    await converge(host);
    expect([...host.files.keys()]).toContain("/data/berth.json");
  });

  it("refuses a folder with things of somebody else's, and touches nothing", async () => {
    const host = new MemoryHost();
    for (const file of ["photos/a.jpg", "models/m", "notes.txt"]) host.files.set(`/data/${file}`, "");
    const error = await rejectionOf(converge(host));
    expect([error.code, error.parts.got]).toEqual(["host-foreign", "notes.txt, photos"]);
    expect(host.files.size).toBe(3);
  });

  it("leaves what is claimed for the subordinates that are to come", async () => {
    const host = new MemoryHost();
    const place = { host, dataDir: "/data", now: new Date(), roomOf: () => undefined };
    const claims = claimsOf({ owner: "shop/dev", instance: "chat-0.local" }, { port: 14_000, devices: ["GPU-0"] });
    await reserveClaims(place, claims);
    const wanted = { ...inputs, inventory: ["Subordinate/chat-0.local.14000"] };
    await hostKind(() => Promise.resolve()).converge(contextOf(host), operationOf().operation, wanted);
    expect(await listClaims(place)).toEqual(expect.arrayContaining(claims));
  });

  it("takes nothing for a leftover when nobody has told what is wanted", () => {
    const { inventory: _, ...silent } = inputs;
    expect(findOrphans([left], silent)).toEqual([]);
  });
});

describe("isUnwanted", () => {
  const entry = { ...left, name: "chat-0", uses: "instances/shop/dev/chat-0" };
  const isUnwantedBy = (owner: string, inventory: string[] | undefined, entries: JournalEntry[]) =>
    isUnwanted({ owner: "shop/dev", instance: "chat-0" }, entries, { owner, inventory });

  it.each([
    ["is neither wanted nor made", true, "shop/dev", [], []],
    ["is wanted", false, "shop/dev", ["Instance/chat-0"], []],
    ["was made, and is about to be deleted", false, "shop/dev", [], [entry]],
    ["is another stack's", false, "shop/prod", [], []],
    ["is perhaps wanted", false, "shop/dev", undefined, []],
  ])("of an instance that %s is %s", (_, unwanted, owner, inventory, entries) => {
    expect(isUnwantedBy(owner, inventory, entries)).toBe(unwanted);
  });

  it.each([
    ["is neither wanted nor made", true, ["Instance/chat-0", "Subordinate/chat-0.gpu-20.14000"], []],
    ["is wanted", false, ["Subordinate/chat-0.gpu-2.14000"], []],
    ["was made, and is about to be deleted", false, [], [{ ...left, kind: "Subordinate", name: "chat-0.gpu-2.14003" }]],
    [
      "was made by another stack",
      true,
      [],
      [{ ...left, owner: "b/c", kind: "Subordinate", name: "chat-0.gpu-2.14003" }],
    ],
  ])("of what an instance has on another host than its own that %s is %s", (_, unwanted, inventory, entries) => {
    const holder = { owner: "shop/dev", instance: "chat-0.gpu-2" };
    expect(isUnwanted(holder, entries, { owner: "shop/dev", inventory })).toBe(unwanted);
  });
});

describe("removing a host", () => {
  const own: JournalEntry = { ...left, kind: "Host", name: "local", uses: "host", recorded: true };

  /** Removes the host `local` of shop/dev from where these are; tells what is left, and what was taken away. */
  async function removeAmong(...entries: JournalEntry[]) {
    const host = new MemoryHost();
    for (const file of ["berth.json", "bin/engine_1.0", "cache/m.whl", "lock.json"])
      host.files.set(`/data/${file}`, "");
    for (const entry of [own, ...entries]) await writeEntry(host, "/data", entry);
    const taken: string[] = [];
    const kind = hostKind((_context, _operation, orphan, { name }) => {
      taken.push(inventoryKey(orphan, name));
      return Promise.resolve();
    });
    const key = { owner: "shop/dev", name: "local", uses: "host" };
    await kind.remove(contextOf(host), operationOf().operation, key);
    return { files: [...host.files.keys()].filter((file) => !file.includes("/journal/")), taken };
  }

  it("removes everything but the download cache, the lock that is held meanwhile, and an administrator's executables", async () => {
    expect((await removeAmong()).files).toEqual(["/data/bin/engine_1.0", "/data/cache/m.whl", "/data/lock.json"]);
  });

  it("leaves what is not Berth's, and ends runners that nothing else tells of", async () => {
    const host = new MemoryHost();
    host.files.set("/data/notes.txt", "");
    await writeEntry(host, "/data", own);
    const supervisor = new FakeSupervisor();
    supervisor.runners.set("lost", true);
    const key = { owner: "shop/dev", name: "local", uses: "host" };
    await hostKind(() => Promise.resolve()).remove(contextOf(host, supervisor), operationOf().operation, key);
    expect([...host.files.keys()]).toEqual(["/data/notes.txt"]);
    expect(await supervisor.list()).toEqual([]);
  });

  it("takes away what interrupted runs left there", async () => {
    expect((await removeAmong(left)).taken).toEqual(["Instance/old-0"]);
  });

  it("gives back what was claimed for instances that were never made, and leaves what others have claimed", async () => {
    const host = new MemoryHost();
    await writeEntry(host, "/data", own);
    const place = { host, dataDir: "/data", now: new Date(), roomOf: () => undefined };
    const theirs = claimsOf({ owner: "shop/prod", instance: "chat-0" }, { port: 14_001 });
    await reserveClaims(place, [...claimsOf({ owner: "shop/dev", instance: "chat-0" }, { port: 14_000 }), ...theirs]);
    const key = { owner: "shop/dev", name: "local", uses: "host" };
    await hostKind(() => Promise.resolve()).remove(contextOf(host), operationOf().operation, key);
    expect(await listClaims(place)).toEqual(theirs);
  });

  it("leaves what another stack has there", async () => {
    const { files, taken } = await removeAmong(left, { ...left, owner: "shop/prod", recorded: true });
    expect([files.length, taken]).toEqual([4, ["Instance/old-0"]]);
  });

  it("leaves everything to the same host under another name", async () => {
    const { files, taken } = await removeAmong({ ...own, name: "renamed" }, { ...left, recorded: true });
    expect([files.length, taken]).toEqual([4, []]);
  });
});
