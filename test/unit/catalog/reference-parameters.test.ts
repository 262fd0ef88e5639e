import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { flattenOldParameters, flattenParameters } from "../../../src/catalog/reference-parameters.js";
import { thrownBy } from "../support/thrown.js";

describe("flattenParameters", () => {
  it.each<[string, string[], string[]]>([
    ["one word each", ["--host", "0.0.0.0", "--port=1"], ["--host", "0.0.0.0", "--port=1"]],
    ["a flag with its value", ["--max-model-len 8192"], ["--max-model-len", "8192"]],
    ["a pasted line", ["--a 1 --b=2   --flag"], ["--a", "1", "--b=2", "--flag"]],
    ["a line that goes on", ["--a 1 \\\n  --b 2 \\"], ["--a", "1", "--b", "2"]],
    ["quotes", [`--name 'two words' --other "a \\"b\\""`], ["--name", "two words", "--other", 'a "b"']],
    ["a value that is not a flag", ["--path", "/a path/with blanks"], ["--path", "/a path/with blanks"]],
    ["a number that is not a flag", ["-0.5 x", "-1", "-.5e-3 y"], ["-0.5 x", "-1", "-.5e-3 y"]],
    ["a flag that begins like a number", ["-1st 'a b'"], ["-1st", "a b"]],
    ["JSON after =", ['--json={"a": "b c", "d": [1, 2]} --next'], ['--json={"a": "b c", "d": [1, 2]}', "--next"]],
    ["JSON with braces in a text", ['--a={"x": "}"} --b=[1, "]"]'], ['--a={"x": "}"}', '--b=[1, "]"]']],
    ["what only begins like JSON", ["--a={b --c=[d"], ["--a={b", "--c=[d"]],
    ["JSON as a value of its own, as a shell reads it", ['--json {"a":1}'], ["--json", "{a:1}"]],
    ["operators, which no shell reads", ["--a b|c --d (e) --f *"], ["--a", "b|c", "--d", "(e)", "--f", "*"]],
    ["nothing", ["", "   "], []],
  ])("gives the words of %s", (_, entries, words) => {
    expect(flattenParameters(entries)).toEqual(words);
  });

  it("refuses a quote that stays open", () => {
    const { code, message } = thrownBy(() => flattenParameters(["--a 'b"], "engine.yaml"));
    expect([code, message.split("\n")[0]]).toEqual([
      "command-invalid",
      "engine.yaml: a parameter has a quote ' that stays open at column 5",
    ]);
  });

  it("keeps any argument vector that needs no quotes", () => {
    const plain = fc.stringMatching(/^[A-Za-z0-9/.:,_=-]{1,12}$/).filter((word) => !word.startsWith("="));
    fc.assert(
      fc.property(fc.array(plain), (words) => {
        expect(flattenParameters(words)).toEqual(words);
      }),
    );
  });

  it("never loses or adds a character of JSON", () => {
    fc.assert(
      fc.property(fc.object(), (value) => {
        const json = JSON.stringify(value);
        expect(flattenParameters([`--before 1 --json=${json} --after`])).toEqual([
          "--before",
          "1",
          `--json=${json}`,
          "--after",
        ]);
      }),
    );
  });
});

describe("flattenOldParameters", () => {
  it.each<[string[], string[]]>([
    [
      ["--ctx-size=8192", "--flash-attn"],
      ["--ctx-size=8192", "--flash-attn"],
    ],
    [["--ctx-size 8192"], ["--ctx-size", "8192"]],
    [["--chat-template=a b"], ["--chat-template=a b"]],
    [["a b"], ["a b"]],
    [[" "], []],
  ])("of %j gives %j", (entries, words) => {
    expect(flattenOldParameters(entries)).toEqual(words);
  });
});
