import { describe, expect, it } from "vitest";

import { compareFields } from "../../../src/resources/difference.js";
import { modelFilesInputs, modelFilesKind, planModelFiles } from "../../../src/resources/model-files.js";
import { contextOf } from "../support/contexts.js";
import { MemoryHost } from "../support/memory-host.js";

const sha256 = "a".repeat(64);
const inputs = modelFilesInputs.parse({
  name: "local.aaaaaaaaaaaa",
  owner: "shop/dev",
  host: { name: "local", connection: "local", dataDir: "/data" },
  from: { source: "url", url: "https://models.example/m.gguf" },
  file: "m.gguf",
  sha256,
});

describe("planModelFiles", () => {
  it.each([
    [{ placed: true, drift: [], inPlace: false, remains: true }, []],
    [{ placed: false, drift: [], inPlace: false, remains: false }, ["fetch", "place"]],
    [{ placed: false, drift: [], inPlace: false, remains: true }, ["retire", "fetch", "place"]],
    [{ placed: true, drift: ["m.gguf is missing"], inPlace: false, remains: true }, ["retire", "fetch", "place"]],
    [{ placed: true, drift: ["m.gguf was changed"], inPlace: true, remains: true }, ["place"]],
    [{ placed: false, drift: [], inPlace: true, remains: false }, ["place"]],
  ])("of %j is %j", (seen, steps) => {
    expect(planModelFiles(seen)).toEqual(steps);
  });
});

describe("observing a model", () => {
  /** A host on which the model was put in place under a path. */
  function hostWith(path: string): MemoryHost {
    const host = new MemoryHost();
    const placement = { schemaVersion: 1, id: "placement-1", path, sizeBytes: 5, changedAt: "0" };
    host.files.set(`/data/models/${sha256}/placement.json`, JSON.stringify(placement));
    host.files.set(path, "model");
    return host;
  }
  const path = `/data/models/${sha256}/m.gguf`;

  it("finds nothing wrong while the file is where it was put", async () => {
    expect(await modelFilesKind.observe(contextOf(hostWith(path)), inputs, undefined)).toEqual({
      path,
      sizeBytes: 5,
      placement: "placement-1",
      drift: [],
    });
  });

  it("finds a file that is gone or shorter", async () => {
    const [gone, shorter] = [hostWith(path), hostWith(path)];
    gone.files.delete(path);
    shorter.files.set(path, "mod");
    const driftOf = async (host: MemoryHost) =>
      (await modelFilesKind.observe(contextOf(host), inputs, undefined)).drift;
    expect(await driftOf(gone)).toEqual(["m.gguf is missing"]);
    expect(await driftOf(shorter)).toEqual(["m.gguf has 3 bytes, expected 5"]);
  });

  it("finds the same model under another name, or from where it was in place, not put where it is wanted", async () => {
    const renamed = { ...inputs, file: "other.gguf" };
    const inPlace = { ...inputs, from: { source: "file" as const, path: "/srv/m.gguf" } };
    for (const wanted of [renamed, inPlace]) {
      const { drift } = await modelFilesKind.observe(contextOf(hostWith(path)), wanted, undefined);
      expect(drift).toEqual([`${wanted.file} is in another place: ${path}`]);
    }
  });
});

describe("what a changed input does to a model", () => {
  it.each([
    [{ sha256: "b".repeat(64) }, "replace"],
    [{ file: "other.gguf" }, "update"],
    [{ from: { source: "file" as const, path: "/srv/m.gguf" } }, "update"],
  ])("for %j is to %s it", (change, what) => {
    const [difference] = compareFields(modelFilesKind.differences, inputs, { ...inputs, ...change });
    expect(difference?.change).toBe(what);
  });
});
