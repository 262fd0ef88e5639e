import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { FramedOutput } from "../../../src/host/framed-output.js";

const nonce = "00ff00ff00ff00ff";

function read(pieces: readonly Buffer[]): { output: string; frame: FramedOutput } {
  const seen: Buffer[] = [];
  const frame = new FramedOutput(nonce, (bytes) => seen.push(bytes));
  for (const piece of pieces) frame.write(piece);
  frame.end();
  return { output: Buffer.concat(seen).toString("latin1"), frame };
}

function cut(text: string, at: readonly number[]): Buffer[] {
  const bytes = Buffer.from(text, "latin1");
  const ends = [...new Set(at.map((position) => position % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...ends, bytes.length].map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

/** Bytes that are often a part of the mark. */
const text = fc.string({ unit: fc.constantFrom("0", "f", "00ff", "\n", "-", "+", ";", "\xff"), maxLength: 40 });
const places = fc.array(fc.nat(500), { maxLength: 20 });

describe("FramedOutput", () => {
  it("gives what is between the marks, however it is cut into pieces", () => {
    fc.assert(
      fc.property(text, text, fc.nat(255), places, (noise, content, exitCode, at) => {
        fc.pre(!`${noise}${content}`.includes(nonce) && !`${content}${nonce}`.slice(0, -1).includes(nonce));
        fc.pre(!`${noise}${nonce}`.slice(0, -1).includes(nonce));
        const { output, frame } = read(cut(`${noise}${nonce}+${content}${nonce}-${exitCode};`, at));
        expect(output).toBe(content);
        expect(frame.exitCode).toBe(exitCode);
      }),
    );
  });

  it("knows no exit code of a frame that was cut off anywhere", () => {
    const whole = `noise${nonce}+content${nonce}-12;`;
    for (let length = 0; length < whole.length; length += 1) {
      const { frame } = read([Buffer.from(whole.slice(0, length))]);
      expect(frame.exitCode, whole.slice(0, length)).toBeUndefined();
    }
  });

  it("takes no exit code from an end without one", () => {
    expect(read([Buffer.from(`${nonce}+x${nonce}-;`)]).frame.exitCode).toBeUndefined();
  });

  it("keeps what is said before the beginning apart, and passes on what comes after the end", () => {
    const { output, frame } = read([Buffer.from("Welcome")]);
    expect([output, frame.begun, frame.rest]).toEqual(["", false, "Welcome"]);
    expect(read([Buffer.from(`${nonce}+now${nonce}-0;later`)]).output).toBe("nowlater");
  });
});
