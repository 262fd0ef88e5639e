import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { EventStream } from "../../../src/health/event-stream.js";

const readAll = (pieces: readonly Uint8Array[]) => {
  const events = new EventStream();
  return pieces.flatMap((piece) => events.read(piece));
};
const bytes = (text: string) => new TextEncoder().encode(text);

describe("an answer that comes piece by piece", () => {
  it("has the same events, wherever it is cut", () => {
    const value = fc.oneof(fc.record({ text: fc.string({ unit: "grapheme" }) }), fc.integer());
    fc.assert(
      fc.property(
        fc.array(value),
        fc.array(fc.nat(), { maxLength: 10 }),
        fc.constantFrom("\n\n", "\r\n\r\n"),
        (values, cuts, end) => {
          const whole = bytes(
            values.map((each) => `data: ${JSON.stringify(each)}${end}`).join("") + `data: [DONE]${end}`,
          );
          const places = [0, ...cuts.map((cut) => cut % (whole.length + 1)).sort((a, b) => a - b), whole.length];
          const pieces = places.slice(1).map((place, index) => whole.slice(places[index], place));
          expect(readAll(pieces)).toEqual(values);
        },
      ),
    );
  });

  it.each([
    "",
    "data: {",
    ": comment\n",
    "event: x\nid: 1\n",
    "data:\n",
    "data: <html>\n",
    "\u0000\n",
    '{"no":"event"}\n',
  ])("has no event in %j", (text) => {
    expect(readAll([bytes(text)])).toEqual([]);
  });

  it("never fails, whatever comes", () => {
    fc.assert(fc.property(fc.array(fc.uint8Array()), (pieces) => void readAll(pieces)));
  });
});
