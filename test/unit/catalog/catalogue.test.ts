import { describe, expect, it } from "vitest";

import { assembleCatalogue, findBackend, type BackendDocument } from "../../../src/catalog/catalogue.js";
import { catalogueOf, engineBackend } from "../support/catalogues.js";
import { thrownBy } from "../support/thrown.js";

const where = "deployment chat";

describe("findBackend", () => {
  it("finds a backend's version by name, and its default version when none is named", () => {
    const backend = engineBackend();
    const catalogue = catalogueOf([backend]);
    expect(findBackend(catalogue, { name: "engine", version: "1.0", where })).toEqual({
      backend,
      version: "1.0",
      entry: backend.versions["1.0"],
      reason: "named exactly",
    });
    expect(findBackend(catalogue, { name: "engine", version: undefined, where }).version).toBe("2.0");
  });

  it.each(["vllm", "constructor"])("names the backends there are when %s is none of them", (name) => {
    const error = thrownBy(() => findBackend(catalogueOf(), { name, version: undefined, where }));
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
    const error = thrownBy(() => findBackend(catalogueOf(), { name: "engine", version, where }));
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

describe("what a lock decided before", () => {
  const version = (asked: string | undefined, before: string) =>
    findBackend(catalogueOf(), { name: "engine", version: asked, before, where }).version;

  it("stays when nothing is asked, whatever the default is", () => {
    expect(version(undefined, "1.0")).toBe("1.0");
  });

  it("stays while it fits a constraint, though a higher version does too", () => {
    expect(version(">=1", "1.0")).toBe("1.0");
    expect(version(">1.0", "1.0")).toBe("2.0");
  });

  it("stays when a file writes it with another v", () => {
    const version = { install: { manual: {} } };
    const catalogue = catalogueOf([engineBackend({ versions: { "v1.0": version, "2.0": version } })]);
    expect(findBackend(catalogue, { name: "engine", version: undefined, before: "1.0", where }).version).toBe("v1.0");
  });

  it("goes when another version is named, or when the catalogue lost it", () => {
    expect(version("2.0", "1.0")).toBe("2.0");
    expect(version(undefined, "0.9")).toBe("2.0");
  });
});

describe("assembleCatalogue", () => {
  const pipx = (name: string) => ({ install: { pipx: { package: name, requirements: "engine/own.txt" } } });
  const builtIn: BackendDocument = {
    name: "engine",
    source: "built-in",
    where: "backends/engine.yaml",
    written: {
      schemaVersion: 1,
      name: "engine",
      defaultVersion: "1.0",
      healthPath: "/health",
      runCommand: "serve {{port}}",
      versions: { "1.0": pipx("engine"), "v2.0": pipx("engine") },
    },
  };
  const overlay = (written: object): BackendDocument => ({
    ...builtIn,
    source: "project",
    where: "project's backends/engine.yaml",
    written: { schemaVersion: 1, name: "engine", ...written },
  });

  it("lets a project's file change what it says, and keeps the rest, the command among it", () => {
    const { backends, sources } = assembleCatalogue(
      [builtIn, overlay({ defaultVersion: "3.0", healthPath: "/up", versions: { "3.0": pipx("own") } })],
      {},
    );
    expect(backends.engine).toMatchObject({ healthPath: "/up", defaultVersion: "3.0", runCommand: "serve {{port}}" });
    expect(Object.keys(backends.engine?.versions ?? {})).toEqual(["1.0", "v2.0", "3.0"]);
    expect(sources.engine).toEqual({ "1.0": "built-in", "v2.0": "built-in", "3.0": "project" });
  });

  it("puts a project's version in the place of the same one, whether or not it is written with a v", () => {
    const { backends, sources } = assembleCatalogue([builtIn, overlay({ versions: { "2.0": pipx("own") } })], {});
    expect(Object.keys(backends.engine?.versions ?? {})).toEqual(["1.0", "2.0"]);
    expect(backends.engine?.versions["2.0"]?.install.pipx?.package).toBe("own");
    expect(sources.engine).toEqual({ "1.0": "built-in", "2.0": "project" });
  });

  it("keeps the default version when a project's file says it with another v", () => {
    const catalogue = assembleCatalogue([builtIn, overlay({ versions: { "v1.0": pipx("own") } })], {});
    expect(catalogue.backends.engine?.defaultVersion).toBe("1.0");
    const found = findBackend(catalogue, { name: "engine", version: undefined, where });
    expect([found.version, found.entry.install.pipx?.package]).toEqual(["v1.0", "own"]);
  });

  it("merges environment, flags and container key by key, and takes every other field whole", () => {
    const below = {
      ...builtIn,
      written: {
        ...(builtIn.written as object),
        env: { A: "1", B: "1" },
        flags: { host: ["--host"], port: ["--port"] },
        container: { shmSize: "1GiB", user: "7" },
        ownedFlags: ["--a"],
      },
    };
    const changes = {
      env: { B: "2", C: "2" },
      flags: { port: ["-p"] },
      container: { shmSize: "2GiB" },
      ownedFlags: ["--b"],
    };
    const { backends } = assembleCatalogue([below, overlay(changes)], {});
    expect(backends.engine).toMatchObject({
      env: { A: "1", B: "2", C: "2" },
      flags: { host: ["--host"], port: ["-p"] },
      container: { shmSize: "2GiB", user: "7" },
      ownedFlags: ["--b"],
    });
  });

  it("needs no versions in a project's file about a backend that has some", () => {
    const { backends } = assembleCatalogue([builtIn, overlay({ env: { LEVEL: "own" } })], {});
    expect(backends.engine?.env).toEqual({ LEVEL: "own" });
  });

  it("names the last file when the whole is no backend", () => {
    const error = thrownBy(() => assembleCatalogue([builtIn, overlay({ defaultVersion: "9" })], {}));
    expect([error.code, error.message]).toEqual([
      "file-invalid",
      `project's backends/engine.yaml: "defaultVersion": expected one of the versions below`,
    ]);
  });

  it("names the file that says what is wrong, though another lies over it", () => {
    const wrong = { ...overlay({ defaultVersion: "9" }), where: "community.yaml" };
    const error = thrownBy(() => assembleCatalogue([builtIn, wrong, overlay({ healthPath: "/up" })], {}));
    expect(error.message).toBe(`community.yaml: "defaultVersion": expected one of the versions below`);
  });

  it("changes none of the files", () => {
    const before = structuredClone(builtIn);
    assembleCatalogue([builtIn, overlay({ versions: { "2.0": pipx("own") } })], {});
    expect(builtIn).toEqual(before);
  });
});
