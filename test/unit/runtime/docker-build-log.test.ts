import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { readBuildLog } from "../../../src/runtime/docker-build-log.js";

/** A `StatusResponse` of BuildKit: vertexes, states and logs. */
function status(messages: readonly string[]): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.LengthDelimited).bytes(new TextEncoder().encode("a vertex"));
  for (const message of messages) {
    writer.tag(3, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.LengthDelimited).string("sha256:of-the-vertex");
    writer.tag(3, WireType.Varint).int64(2);
    writer.tag(4, WireType.LengthDelimited).string(message).join();
  }
  return writer.finish();
}

describe("what a build's commands print", () => {
  it("is read of BuildKit's messages, line by line", () => {
    expect(readBuildLog(status(["one\ntw", "o\r\n\nthree\n"]))).toEqual(["one", "two", "three"]);
    expect(readBuildLog(status([]))).toEqual([]);
  });

  it("is whole, whatever it is", () => {
    const message = fc.string({ unit: "grapheme" }).filter((text) => !/[\r\n]/.test(text));
    fc.assert(
      fc.property(fc.array(message), (messages) => {
        const lines = readBuildLog(status(messages.map((text) => `${text}\n`)));
        expect(lines).toEqual(messages.filter((text) => text !== ""));
      }),
    );
  });
});
