import { Readable } from "node:stream";

import fc from "fast-check";
import { expect, it } from "vitest";

import { mostOutputBytes, readFrames } from "../../../src/runtime/docker-output.js";

function frame(output: number, text: string): Buffer {
  const bytes = Buffer.from(text);
  const header = Buffer.from([output, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(bytes.byteLength, 4);
  return Buffer.concat([header, bytes]);
}

/** Cut into pieces at the given places. */
function pieces(bytes: Buffer, cuts: readonly number[]): Readable {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.byteLength + 1)))].sort((one, other) => one - other);
  const parts = [0, ...at].map((from, index) => bytes.subarray(from, at[index] ?? bytes.byteLength));
  return Readable.from(parts.filter((part) => part.byteLength > 0));
}

it("puts the frames of both outputs together, however they are cut", async () => {
  const frames = fc.array(fc.tuple(fc.constantFrom(1, 2), fc.string({ unit: "grapheme" })));
  await fc.assert(
    fc.asyncProperty(frames, fc.array(fc.nat()), async (parts, cuts) => {
      const bytes = Buffer.concat(parts.map(([output, text]) => frame(output, text)));
      expect(await readFrames(pieces(bytes, cuts))).toBe(parts.map(([, text]) => text).join(""));
    }),
  );
});

it("takes what a terminal shows as it is", async () => {
  expect(await readFrames(Readable.from([Buffer.from("plain "), Buffer.from("text\n")]))).toBe("plain text\n");
});

it("keeps the end of an output that is too long", async () => {
  const long = Array.from({ length: 30 }, (_, index) => frame(1, `${index}`.repeat(100_000)));
  const text = await readFrames(Readable.from([...long, frame(2, "the end\n")]));
  expect(Buffer.byteLength(text)).toBe(mostOutputBytes);
  expect(text.endsWith("29the end\n")).toBe(true);
});
