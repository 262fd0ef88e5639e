import { describe, expect, it } from "vitest";

import { readBackendDocument } from "../../../src/lock/backend-document.js";
import { backendText, commentText } from "../../../src/lock/backend-text.js";
import { referenceBackend } from "../support/reference-files.js";

describe("backendText", () => {
  it.each(["my-backend-custom", "vllm", "sglang", "sglang-custom", "synthetic-every-key"])(
    "of %s is read back as the same backend, in Berth's own format",
    (name) => {
      const { value, written } = referenceBackend(name);
      const read = readBackendDocument(backendText(written, ["a comment"]), "again.yaml");
      expect([read.format, read.value, read.notes]).toEqual(["berth", value, []]);
    },
  );

  it("keeps versions as they are that YAML would read as numbers", () => {
    const versions = { "0.10": { install: {} }, "1e3": { install: {} }, "0x1": { install: {} } };
    const text = backendText({ schemaVersion: 1, name: "engine", defaultVersion: "0.10", versions }, []);
    const { value } = readBackendDocument(text, "again.yaml");
    expect([value.defaultVersion, Object.keys(value.versions ?? {})]).toEqual(["0.10", ["0.10", "1e3", "0x1"]]);
  });

  it("puts comments at the head, each line as one, and another name in", () => {
    const text = backendText({ schemaVersion: 1, name: "a" }, ["one\ntwo: # three", "- four"], "b");
    expect(text).toBe("# one\n# two: # three\n# - four\n\nschemaVersion: 1\nname: b\n");
  });
});

describe("commentText", () => {
  it.each(["\n", "\r", "\r\n", "\u0085", "\u2028", "\u2029"])("begins a comment anew after %j, as YAML does", (end) => {
    expect(commentText([`one${end}two: 2`, "three"])).toBe(" one\n two: 2\n three");
  });

  it("leaves out what moves a terminal's cursor", () => {
    expect(commentText(["a\u001b[2Jb\u0007\tc"])).toBe(" a?[2Jb??c");
  });
});
