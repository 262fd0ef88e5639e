import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { addVersionText } from "../../../src/cli/backend-text.js";
import { backendFile } from "../../../src/schema/backend.js";
import { parseYaml } from "../../../src/schema/document.js";
import { thrownBy } from "../support/thrown.js";

const entry = { install: { image: { reference: "engine/server:v2", acceleratorTypes: ["cuda"] } } };
const read = (text: string) => parseYaml(text, "engine.yaml", backendFile);

describe("a backend file with one more version", () => {
  it("is a new one that says nothing else, where there is none", () => {
    const text = addVersionText(undefined, "engine.yaml", "engine", "0.10", entry);
    expect(text).toBe(
      [
        "# Versions of engine besides those that come with Berth.",
        "schemaVersion: 1",
        "name: engine",
        "versions:",
        '  "0.10":',
        "    install:",
        "      image:",
        "        reference: engine/server:v2",
        "        acceleratorTypes:",
        "          - cuda",
        "",
      ].join("\n"),
    );
    expect(Object.keys(read(text).versions)).toEqual(["0.10"]);
  });

  it.each([
    ["last in the file", "schemaVersion: 1\nname: engine\nversions:\n  v1: { install: {} } # first\n"],
    ["without a last newline", "schemaVersion: 1\nname: engine\nversions:\n  v1: { install: {} }"],
    [
      "before other keys",
      "# top\nname: engine\nversions:\n    v1:\n        install: {}\n    # end\nschemaVersion: 1 # x\n",
    ],
    [
      "with comments and blank lines between",
      "schemaVersion: 1\n\nname: engine\n\nversions:\n  # one\n  v1:\n    # of it\n    install: {}\n\n  # two\n  v0: { install: {} }\n\n# the end\n",
    ],
    [
      "with lists in its own style",
      "schemaVersion: 1\nname: engine\nownedFlags: [ -a,-b ]\nversions: {v1: {install: {}}}\n",
    ],
    ["with lines that end in CRLF", "schemaVersion: 1\r\nname: engine\r\nversions:\r\n  v1: { install: {} }\r\n"],
  ])("keeps every word and every comment of a file, versions %s", (_, before) => {
    const after = addVersionText(before, "engine.yaml", "engine", "v2", entry);
    const { versions, ...others } = read(after);
    const { v2, ...kept } = versions;
    expect(v2?.install).toMatchObject(entry.install);
    expect(kept).toEqual(read(before).versions);
    expect(others).toEqual({ ...read(before), versions: undefined });
    const words = (text: string) => text.split(/[\s{}[\],]+/).filter((word) => word !== "");
    let at = 0;
    const all = words(after);
    for (const word of words(before)) {
      at = all.indexOf(word, at) + 1;
      expect(at, word).toBeGreaterThan(0);
    }
  });

  it("changes no line of a file that is written in blocks", () => {
    const before =
      "schemaVersion: 1\nname: engine\n\nversions:\n  # one\n  v1:\n    install: {}   # as is\n\n\nenv: { A: 'x' }\n";
    const after = addVersionText(before, "engine.yaml", "engine", "v2", { install: {} });
    expect(after).toBe(
      "schemaVersion: 1\nname: engine\n\nversions:\n  # one\n  v1:\n    install: {}   # as is\n" +
        "  v2:\n    install: {}\n\n\nenv: { A: 'x' }\n",
    );
  });

  it("has its lines' ends and its lists in brackets as they were", () => {
    const windows = "schemaVersion: 1\r\nname: engine\r\nversions:\r\n  v1: { install: {} }\r\n";
    expect(addVersionText(windows, "engine.yaml", "engine", "v2", { install: {} })).toBe(
      `${windows}  v2:\r\n    install: {}\r\n`,
    );
    const brackets = `name: engine\nschemaVersion:   1\nversions: {v1: {install: {}}} # ${"long ".repeat(40)}\n`;
    expect(addVersionText(brackets, "engine.yaml", "engine", "v2", { install: {} })).toBe(
      brackets.replace("{}}}", "{}}, v2: { install: {} }}"),
    );
  });

  it("can be added to again and again", () => {
    const versions = fc.uniqueArray(
      fc.stringMatching(/^[a-z0-9][a-z0-9.]{0,6}[a-z0-9]$/).filter((one) => !one.includes("..")),
      {
        minLength: 1,
        maxLength: 6,
      },
    );
    fc.assert(
      fc.property(versions, (names) => {
        let text: string | undefined;
        for (const name of names) text = addVersionText(text, "engine.yaml", "engine", name, entry);
        expect(new Set(Object.keys(read(text ?? "").versions))).toEqual(new Set(names));
      }),
    );
  });

  it("refuses a version that is there", () => {
    const before = "schemaVersion: 1\nname: engine\nversions:\n  v1: { install: {} }\n";
    const error = thrownBy(() => addVersionText(before, "backends/engine.yaml", "engine", "v1", entry));
    expect(error.code).toBe("usage");
    expect(error.message).toContain("backends/engine.yaml: the backend engine has this version already");
  });

  it("refuses a file of another backend, and one that is none", () => {
    const other = "schemaVersion: 1\nname: other\nversions:\n  v1: { install: {} }\n";
    expect(thrownBy(() => addVersionText(other, "engine.yaml", "engine", "v2", entry)).code).toBe("file-invalid");
    expect(thrownBy(() => addVersionText("versions: 3\n", "engine.yaml", "engine", "v2", entry)).code).toBe(
      "file-invalid",
    );
  });
});

it("tells to import a file in GPUStack's format first", () => {
  const text = 'backend_name: engine\nversion_configs: { "1": { image_name: "e:1" } }\n';
  const error = thrownBy(() => addVersionText(text, "backends/engine.yaml", "engine", "2", entry));
  expect([error.code, error.message]).toEqual([
    "usage",
    [
      "backends/engine.yaml: the file is in GPUStack's format, to which no version is added",
      "  to do: import it first: berth backend import backends/engine.yaml --force",
    ].join("\n"),
  ]);
});
