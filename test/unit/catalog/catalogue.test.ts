import { describe, expect, it } from "vitest";

import { findBackend, mergeCatalogues } from "../../../src/catalog/catalogue.js";
import { catalogueOf, engineBackend } from "../support/catalogues.js";
import { thrownBy } from "../support/thrown.js";

const where = "deployment chat";

describe("findBackend", () => {
  it("finds a backend's version by name, and its default version when none is named", () => {
    const backend = engineBackend();
    const catalogue = catalogueOf([backend]);
    expect(findBackend(catalogue, "engine", "1.0", where)).toEqual({
      backend,
      version: "1.0",
      entry: backend.versions["1.0"],
    });
    expect(findBackend(catalogue, "engine", undefined, where).version).toBe("2.0");
  });

  it.each(["vllm", "constructor"])("names the backends there are when %s is none of them", (name) => {
    const error = thrownBy(() => findBackend(catalogueOf(), name, undefined, where));
    expect([error.code, error.message]).toEqual([
      "backend-unknown",
      [
        "deployment chat: no backend has this name",
        `  got: ${name}`,
        "  expected: engine",
        "  to do: correct the name, or add a file backends/NAME.yaml",
      ].join("\n"),
    ]);
  });

  it.each(["3.0", "constructor", "toString"])("names the versions there are when %s is none of them", (version) => {
    const error = thrownBy(() => findBackend(catalogueOf(), "engine", version, where));
    expect([error.code, error.message]).toEqual([
      "backend-unknown",
      [
        "deployment chat: the backend engine has no such version",
        `  got: ${version}`,
        "  expected: 1.0, 2.0",
        "  to do: choose one of these, or add it to backends/engine.yaml",
      ].join("\n"),
    ]);
  });
});

describe("mergeCatalogues", () => {
  const install = { pipx: { package: "own", requirements: "engine/own.txt" } };
  const own = engineBackend({
    defaultVersion: "3.0",
    healthPath: "/up",
    versions: { "1.0": { install }, "3.0": { install } },
  });

  it("takes a backend's fields from the project, and the versions of both, the project's first", () => {
    const { engine } = mergeCatalogues(catalogueOf(), catalogueOf([own])).backends;
    expect([engine?.healthPath, engine?.defaultVersion]).toEqual(["/up", "3.0"]);
    expect(Object.keys(engine?.versions ?? {}).sort()).toEqual(["1.0", "2.0", "3.0"]);
    expect(engine?.versions["1.0"]).toEqual(own.versions["1.0"]);
    expect(engine?.versions["2.0"]).toEqual(engineBackend().versions["2.0"]);
  });

  it("has the backends and files of both; of a file that both have, the project's counts", () => {
    const base = catalogueOf();
    const merged = mergeCatalogues(base, {
      backends: { other: engineBackend({ name: "other" }) },
      written: { other: "other" },
      files: { "engine/1.0.txt": "f".repeat(64), "other/1.0.txt": "e".repeat(64) },
    });
    expect(Object.keys(merged.backends)).toEqual(["engine", "other"]);
    expect(merged.files).toEqual({ ...base.files, "engine/1.0.txt": "f".repeat(64), "other/1.0.txt": "e".repeat(64) });
  });

  it("changes neither of the two", () => {
    const [base, over] = [catalogueOf(), catalogueOf([own])];
    mergeCatalogues(base, over);
    expect([base, over]).toEqual([catalogueOf(), catalogueOf([own])]);
  });
});
