import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { formatOfContent, isLfsPointer, tellingBytes } from "../../../src/model/content.js";
import { ggufFile, noise, safetensorsFile } from "../../support/weights.js";

const formatOf = (content: Buffer) => formatOfContent(content.subarray(0, tellingBytes), content.length);

describe("a file's format, by how it begins", () => {
  it.each([
    ["GGUF", ggufFile({}), "gguf"],
    ["safetensors", safetensorsFile(100), "safetensors"],
    ["a header longer than the file", safetensorsFile(100).subarray(0, 40), "other"],
    ["a page", Buffer.from("<!doctype html><title>Log in</title>"), "other"],
    ["nothing", Buffer.alloc(0), "other"],
    ["a little", Buffer.from("GGU"), "other"],
  ])("of %s", (_, content, format) => {
    expect(formatOf(content)).toBe(format);
  });

  it("is told of any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), fc.nat(), (bytes, size) => {
        expect(["gguf", "safetensors", "other"]).toContain(formatOfContent(bytes, size));
      }),
    );
  });
});

it("knows a Git LFS pointer from what it points to", () => {
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${"a".repeat(64)}\nsize 12\n`;
  expect(isLfsPointer(Buffer.from(pointer))).toBe(true);
  expect(isLfsPointer(noise(200))).toBe(false);
  expect(isLfsPointer(Buffer.from(pointer.padEnd(2000)))).toBe(false);
});
