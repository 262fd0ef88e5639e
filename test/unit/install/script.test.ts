import { describe, expect, it } from "vitest";

import { parseScriptLine } from "../../../src/install/script.js";

const cases: [text: string, expected: object | undefined][] = [
  ["#!/bin/sh\necho", { interpreter: "/bin/sh", argument: undefined }],
  ["#! /usr/bin/env  python3 -I \nprint()", { interpreter: "/usr/bin/env", argument: "python3 -I" }],
  ["#!/opt/python\t-E", { interpreter: "/opt/python", argument: "-E" }],
  ["#!/bin/sh ", { interpreter: "/bin/sh", argument: undefined }],
  ["\u007fELF\u0002", undefined],
  ["", undefined],
  ["#!", undefined],
  ["#!\n/bin/sh", undefined],
  [" #!/bin/sh\n", undefined],
];

describe("the first line of a script", () => {
  it.each(cases)("of %j is read as the kernel reads it", (text, expected) => {
    expect(parseScriptLine(text)).toEqual(expected);
  });
});
