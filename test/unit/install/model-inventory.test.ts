import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { writeEntry } from "../../../src/host/journal.js";
import { LocalHost } from "../../../src/host/local.js";
import { listModels } from "../../../src/install/model-inventory.js";
import { writeRecord } from "../../../src/install/model-record.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const [repository, single, retired, begun] = ["a", "b", "c", "d"].map((digit) => digit.repeat(64)) as [
  string,
  string,
  string,
  string,
];

/** A host with a model of two files that is wanted, one that is not, and two in the cache. */
async function setUp() {
  const dataDir = await temporaryFolder();
  const host = new LocalHost("local", { PATH: process.env.PATH ?? "", HOME: "/" });
  const models = join(dataDir, "models");
  const file = (sizeBytes: number) => ({ sizeBytes, changedAt: "0", sha256: "0".repeat(64) });
  await host.writeFile(join(models, repository, "config.json"), "12");
  await host.writeFile(join(models, repository, "sub", "m.safetensors"), "12345");
  const files = { "config.json": file(2), "sub/m.safetensors": file(5) };
  const record = { schemaVersion: 2 as const, id: "1", path: join(models, repository) };
  await writeRecord(host, record.path, { ...record, source: "acme/tiny@0123456", files });
  const used = { id: "2", path: "/srv/m.gguf", source: "/srv/m.gguf", files: { "m.gguf": file(9) } };
  await writeRecord(host, join(models, single), { schemaVersion: 2, ...used });
  await host.writeFile(join(dataDir, "cache", "models", retired, "old.gguf"), "123");
  await host.writeFile(join(dataDir, "cache", "models", begun, "model.part"), "1");
  const key = { kind: "ModelFiles", uses: `models/${repository}` };
  for (const [owner, name] of [
    ["shop/dev", "local.aaaaaaaaaaaa"],
    ["shop/prod", "local.aaaaaaaaaaaa"],
  ] as const)
    await writeEntry(host, dataDir, { schemaVersion: 1, ...key, owner, name, identity: "1", recorded: true });
  return listModels(host, dataDir);
}

describe("the models on a host", () => {
  it("are those in place and those in the cache, with their files and sizes", async () => {
    const found = await setUp();
    expect(found.map(({ sha256, place, source, sizeBytes }) => ({ sha256, place, source, sizeBytes }))).toEqual([
      { sha256: repository, place: "in place", source: "acme/tiny@0123456", sizeBytes: 7 },
      { sha256: single, place: "in place", source: "/srv/m.gguf", sizeBytes: 9 },
      { sha256: retired, place: "cache", source: "", sizeBytes: 3 },
      { sha256: begun, place: "cache", source: "", sizeBytes: 1 },
    ]);
    expect(found[0]?.files.map(({ path }) => path)).toEqual(["config.json", "sub/m.safetensors"]);
    expect(found.map(({ incomplete }) => incomplete)).toEqual([false, false, false, true]);
  });

  it("tell who wants them, and of the others when they were used last", async () => {
    const found = await setUp();
    expect(found[0]?.wantedBy.map(({ owner }) => owner).sort()).toEqual(["shop/dev", "shop/prod"]);
    expect(found[0]?.lastUsed).toBeUndefined();
    for (const { wantedBy, lastUsed } of found.slice(1)) {
      expect(wantedBy).toEqual([]);
      expect(Math.abs(Date.now() - (lastUsed?.getTime() ?? 0))).toBeLessThan(3_600_000);
    }
  });
});
