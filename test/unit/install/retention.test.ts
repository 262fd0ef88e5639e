import { join } from "node:path";

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { LocalHost } from "../../../src/host/local.js";
import { chooseEvicted, retireDownloads, reviveDownloads, type Retired } from "../../../src/install/retention.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const retired = (version: string, order: number, downloads: string[]): Retired => ({
  schemaVersion: 1,
  backend: "engine",
  version,
  order,
  downloads,
});

describe("chooseEvicted", () => {
  it("keeps the versions that were retired last, and what they share with older ones", () => {
    const evicted = chooseEvicted(
      [retired("1", 1, ["a", "shared"]), retired("3", 3, ["shared"]), retired("2", 2, ["b"])],
      1,
    );
    expect(evicted.versions.map(({ version }) => version)).toEqual(["2", "1"]);
    expect(evicted.downloads).toEqual(["b", "a"]);
  });

  it("never evicts more than is too many, nor a download of a version that stays", () => {
    const entry = fc.record({ order: fc.nat(20), downloads: fc.array(fc.constantFrom("a", "b", "c")) });
    fc.assert(
      fc.property(fc.array(entry), fc.nat(5), (entries, keep) => {
        const all = entries.map(({ order, downloads }, index) => retired(String(index), order, downloads));
        const { versions, downloads } = chooseEvicted(all, keep);
        expect(versions).toHaveLength(Math.max(0, all.length - keep));
        const kept = all.filter((each) => !versions.includes(each)).flatMap((each) => each.downloads);
        expect(downloads.filter((path) => kept.includes(path))).toEqual([]);
      }),
    );
  });
});

describe("a host's download cache", () => {
  const host = new LocalHost("box", { PATH: "/nowhere", HOME: "/" });

  async function retire(dataDir: string, version: string, path = join(dataDir, "cache", "archives", version)) {
    await host.writeFile(path, version);
    const place = { host, dataDir, backend: "engine", version };
    await retireDownloads(place, { downloads: [path], retention: 2 });
  }

  it("has the downloads of the last two versions that nobody wants any more", async () => {
    const dataDir = await temporaryFolder();
    for (const version of ["1", "2", "3"]) await retire(dataDir, version);
    expect(await host.list(join(dataDir, "cache", "archives"))).toEqual(["2", "3"]);
    expect(await host.list(join(dataDir, "cache", "retired"))).toEqual(["engine_2.json", "engine_3.json"]);
  });

  it("does not count a version that is wanted again", async () => {
    const dataDir = await temporaryFolder();
    for (const version of ["1", "2"]) await retire(dataDir, version);
    const place = { host, dataDir, backend: "engine", version: "1" };
    await reviveDownloads(place, [join(dataDir, "cache", "archives", "1")]);
    await retire(dataDir, "3");
    expect(await host.list(join(dataDir, "cache", "archives"))).toEqual(["1", "2", "3"]);
  });

  it("keeps what an installed version was made from, which a kill kept from being forgotten here", async () => {
    const dataDir = await temporaryFolder();
    await retire(dataDir, "1");
    const downloads = [join(dataDir, "cache", "archives", "1")];
    await host.writeFile(join(dataDir, "backends", "engine_1", "installation.json"), JSON.stringify({ downloads }));
    for (const version of ["2", "3", "4"]) await retire(dataDir, version);
    expect(await host.list(join(dataDir, "cache", "archives"))).toEqual(["1", "3", "4"]);
  });

  it("never loses what is outside it, whatever a record says", async () => {
    const dataDir = await temporaryFolder();
    const outside = join(dataDir, "models", "m.gguf");
    await retire(dataDir, "1", `${dataDir}/cache/../models/m.gguf`);
    await host.writeFile(join(dataDir, "cache", "retired", "engine_9.json"), "{");
    for (const version of ["2", "3", "4"]) await retire(dataDir, version);
    expect(await host.readText(outside)).toBe("1");
    expect(await host.list(join(dataDir, "cache", "archives"))).toEqual(["3", "4"]);
  });
});
