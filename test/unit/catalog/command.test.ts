import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { builtInPlaceholders, renderCommand, type CommandValues } from "../../../src/catalog/command.js";
import { BerthError } from "../../../src/lib/errors.js";

const builtIn = {
  model_path: "/models/qwen 2.gguf",
  mmproj_path: "/models/mmproj qwen.gguf",
  model_name: "qwen",
  port: "8000",
  worker_ip: "127.0.0.1",
  gpu_count: "2",
  gpu_ids: "0,1",
};

const withEnvironment = (environment: Record<string, string>): CommandValues => ({ builtIn, environment });

describe("renderCommand", () => {
  it("fills in built-in placeholders and variables, the way the documents of custom backends show it", () => {
    const template = "serve {{model_path}} --cache {{MODEL_CACHE_DIR}} --log-level {{LOG_LEVEL}} --port {{port}}";
    const environment = { MODEL_CACHE_DIR: "/custom-cache", LOG_LEVEL: "info" };
    expect(renderCommand(template, withEnvironment(environment))).toEqual([
      ...["serve", "/models/qwen 2.gguf", "--cache", "/custom-cache", "--log-level", "info", "--port", "8000"],
    ]);
  });

  it.each<[string, string, string[]]>([
    ["{{ARGS}}", "--a 'b c' $HOME", ["--a", "b c", "$HOME"]],
    ["x {{ ARGS }} y", "--a b", ["x", "--a", "b", "y"]],
    ["--x={{ARGS}}", "a 'b' | c", ["--x=a 'b' | c"]],
    ["'{{ARGS}}' \"{{ARGS}}\" \\{{ARGS}}", "a 'b' > c", ["a 'b' > c", "a 'b' > c", "a 'b' > c"]],
    ['""{{ARGS}}', "a b", ["a b"]],
    ["{{ARGS}}{{ARGS}}", "a b", ["a ba b"]],
    ["x {{ARGS}} y", "", ["x", "y"]],
    ["x {{ARGS}} y", " \n", ["x", "y"]],
    ['x "{{ARGS}}" y', "", ["x", "", "y"]],
    ["--x={{ARGS}}", "", ["--x="]],
    ["{{ARGS}}", "{{port}} '{{OTHER}} {{'", ["{{port}}", "{{OTHER}} {{"]],
    ["'{{ARGS}}'", "{{port}}", ["{{port}}"]],
    ["$PORT ${PORT} a#{{port}}", "", ["$PORT", "${PORT}", "a#8000"]],
    [`--json '{"port":{{port}}}'`, "", ["--json", '{"port":8000}']],
  ])("renders %s with ARGS=%j", (template, ARGS, words) => {
    expect(renderCommand(template, withEnvironment({ ARGS }))).toEqual(words);
  });

  it("keeps a built-in value in one word, also an empty one, and one that looks like a placeholder or quotes", () => {
    const values = { builtIn: { ...builtIn, gpu_ids: "", model_name: "{{port}} 'a | b" }, environment: {} };
    expect(renderCommand("x {{gpu_ids}} {{model_name}}", values)).toEqual(["x", "", "{{port}} 'a | b"]);
  });

  it("prefers a built-in placeholder to a variable of the same name", () => {
    expect(renderCommand("{{port}}", withEnvironment({ port: "1 2" }))).toEqual(["8000"]);
  });

  it.each(["NOPE", "constructor", "PORT"])("lists the known names when {{%s}} is unknown", (name) => {
    expect(() => renderCommand(`a '{{${name}}}'`, withEnvironment({ B: "", A: "" }), "vllm.yaml:3:7")).toThrow(
      new BerthError("command-invalid", {
        where: "vllm.yaml:3:7",
        what: `the command names an unknown placeholder {{${name}}}`,
        expected: "one of model_path, mmproj_path, model_name, port, worker_ip, gpu_count, gpu_ids, A, B",
        hint: "Correct the name, or set an environment variable of that name.",
      }),
    );
  });

  it.each<[string, string, string]>([
    ["a | b", "", "stack.yaml:1:2: the command holds the shell operator | at column 3"],
    ["{{ARGS}}", "a && b", "stack.yaml:1:2: the value of {{ARGS}} holds the shell operator && at column 3"],
    ["{{ARGS}}", "a 'b", "stack.yaml:1:2: the value of {{ARGS}} has a quote ' that stays open at column 3"],
    ["{{ARGS}}", "a\0", "stack.yaml:1:2: the value of {{ARGS}} holds a NUL character"],
    ["'{{ARGS}}'", "a\0", "stack.yaml:1:2: the value of {{ARGS}} holds a NUL character"],
  ])("refuses %s with ARGS=%j: %s", (template, ARGS, message) => {
    expect(() => renderCommand(template, withEnvironment({ ARGS }), "stack.yaml:1:2")).toThrow(`${message}\n`);
  });

  describe("a built-in placeholder, and a variable that is quoted or inside a word,", () => {
    const template = [
      "run '{{VAR}}' \"{{ VAR }}\" \\{{VAR}} --x={{VAR}} --y='a {{VAR}} b' {{VAR}}:{{VAR}}",
      ...builtInPlaceholders.map((name) => `{{${name}}} '{{ ${name} }}' "{{${name}}}" --${name}={{${name}}}`),
    ].join(" \n");
    const wordsOf = ({ builtIn, environment: { VAR = "" } }: CommandValues) => [
      ...["run", VAR, VAR, VAR, `--x=${VAR}`, `--y=a ${VAR} b`, `${VAR}:${VAR}`],
      ...builtInPlaceholders.flatMap((name) => {
        const value = builtIn[name];
        return [value, value, value, `--${name}=${value}`];
      }),
    ];

    const nasty = Array.from("'\"\\ \t\r\n$#|&;<>()`*?[]{}~!-=");
    const unit = fc.oneof(
      fc.constantFrom(...nasty, "{{port}}", "{{", "}}", "$(reboot)", "$&", "語", "😀"),
      fc.string({ unit: "binary", minLength: 1, maxLength: 1 }).filter((character) => character !== "\0"),
    );
    const value = fc.string({ unit, maxLength: 20 });
    const everyValue = fc.record({
      builtIn: fc.record({
        model_path: value,
        mmproj_path: value,
        model_name: value,
        port: value,
        worker_ip: value,
        gpu_count: value,
        gpu_ids: value,
      }),
      environment: fc.record({ VAR: value }),
    });

    it("keeps any value verbatim in its word", () => {
      fc.assert(
        fc.property(everyValue, (values) => {
          expect(renderCommand(template, values)).toEqual(wordsOf(values));
        }),
        { numRuns: 10_000 },
      );
    });

    it("keeps a value of 100 kB verbatim in its word", () => {
      const text = "'\"\\ \n|$&{{port}}😀".repeat(6_000);
      const ids = { port: text, worker_ip: text, gpu_count: text, gpu_ids: text };
      const huge = { model_path: text, mmproj_path: text, model_name: text, ...ids };
      const values = { builtIn: huge, environment: { VAR: text } };
      expect(Buffer.byteLength(text)).toBeGreaterThan(100_000);
      // Compared as one boolean: the difference of two such lists is no help and takes minutes to show.
      expect(JSON.stringify(renderCommand(template, values)) === JSON.stringify(wordsOf(values))).toBe(true);
    });
  });
});
