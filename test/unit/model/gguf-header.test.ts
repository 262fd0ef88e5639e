import { rmSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { gguf } from "@huggingface/gguf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { readGgufHeader } from "../../../src/model/gguf-header.js";
import { readHeader } from "../../support/gguf-file.js";
import { ggufHeader, tensorBytes, type GgufTensorSpec, type GgufValue } from "../../support/gguf-writer.js";

const tensors: GgufTensorSpec[] = [
  { name: "token_embd.weight", shape: [256, 1000], type: "Q4_K" },
  { name: "blk.0.attn_norm.weight", shape: [256], type: "F32" },
];

const text = fc.string({ maxLength: 40 });
const value: fc.Arbitrary<GgufValue> = fc.oneof(
  text,
  fc.boolean(),
  fc.nat(),
  fc.array(fc.nat(), { minLength: 1, maxLength: 9 }),
  fc.array(text, { minLength: 1, maxLength: 50 }),
);
const metadata = fc.dictionary(fc.stringMatching(/^[a-z]{1,9}\.[a-z]{1,9}$/), value, { maxKeys: 20 });

/** Gives as few bytes as are asked for, or up to so many more. */
const slowly = (content: Uint8Array, more: number) => (offset: number, bytes: number) =>
  Promise.resolve(content.subarray(offset, offset + bytes + more));

describe("a GGUF header", () => {
  it("is read as Hugging Face's own parser reads it, whatever the pieces that it comes in", async () => {
    const folder = mkdtempSync(join(tmpdir(), "berth-gguf-"));
    try {
      await fc.assert(
        fc.asyncProperty(metadata, fc.nat(64), async (pairs, more) => {
          const { header } = ggufHeader(pairs, tensors);
          // The parser asks that weights be there.
          const whole = Buffer.concat([header, Buffer.alloc(tensorBytes([256, 1000], "Q4_K") + 1024)]);
          const path = join(folder, "model.gguf");
          writeFileSync(path, whole);
          const theirs = await gguf(path, { allowLocalFile: true });
          const theirMetadata = theirs.metadata as unknown as Record<string, unknown>;
          const ours = await readGgufHeader(slowly(whole, more), path, 0);
          expect(ours.tensors.map(({ name, shape }) => [name, shape])).toEqual(
            theirs.tensorInfos.map(({ name, shape }) => [name, shape.map(Number)]),
          );
          for (const [key, told] of Object.entries(pairs)) {
            const isList = Array.isArray(told);
            const others = theirMetadata[key];
            if (isList) expect(ours.arrayLengths.get(key)).toBe((others as unknown[]).length);
            if (!isList || typeof told[0] === "number") expect(ours.metadata.get(key)).toEqual(others);
          }
        }),
        { numRuns: 60 },
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("tells sizes of tensors by their types, and where the weights begin", async () => {
    const { header } = ggufHeader({ "general.architecture": "llama" }, tensors);
    const read = await readHeader(header);
    expect(read.tensors.map(({ type, bytes }) => [type, bytes])).toEqual([
      ["q4_k", (256_000 / 256) * 144],
      ["f32", 1024],
    ]);
    expect(header.length - read.headerBytes).toBeLessThan(32);
  });

  it("keeps no vocabulary, and asks for no byte of long lists of numbers", async () => {
    const scores = Array.from({ length: 100_000 }, (_, index) => index);
    const { header } = ggufHeader({ "tokenizer.ggml.scores": scores, "general.name": "x" }, tensors);
    let asked = 0;
    const read = await readGgufHeader(
      (offset, bytes) => {
        asked += bytes;
        return Promise.resolve(header.subarray(offset, offset + bytes));
      },
      "model.gguf",
      0,
    );
    expect(read.arrayLengths.get("tokenizer.ggml.scores")).toBe(100_000);
    expect(read.metadata.has("tokenizer.ggml.scores")).toBe(false);
    expect(read.metadata.get("general.name")).toBe("x");
    expect(asked).toBeLessThan(1000);
  });

  const { header } = ggufHeader({ "general.architecture": "llama", list: ["a", "b"] }, tensors);

  it("is refused wherever the file is cut off", async () => {
    const { headerBytes } = await readHeader(header);
    for (let bytes = 0; bytes < headerBytes; bytes++) {
      await expect(readHeader(header.subarray(0, bytes))).rejects.toMatchObject({ code: "model-unavailable" });
    }
  });

  it("is read or refused with every byte changed, and never anything else", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(header.length - 1), fc.nat(255), async (at, byte) => {
        const changed = Buffer.from(header);
        changed[at] = byte;
        const outcome = await readHeader(changed).then(
          () => "read",
          (error: unknown) => (error as { code?: string }).code,
        );
        expect(["read", "model-unavailable"]).toContain(outcome);
      }),
    );
  });

  it.each([
    ["another beginning", Buffer.from("GGML"), 0],
    ["another version", Buffer.from([9, 0, 0, 0]), 4],
    ["more tensors than any model has", Buffer.from([255, 255, 255, 255, 255, 255, 255, 255]), 8],
  ])("is refused for %s", async (_, bytes, at) => {
    const changed = Buffer.from(header);
    bytes.copy(changed, at);
    await expect(readHeader(changed)).rejects.toMatchObject({ code: "model-unavailable" });
  });
});
