import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { LocalHost } from "../../../src/host/local.js";
import { probeEngine, versionPattern } from "../../../src/install/version-probe.js";
import { temporaryFolder } from "../support/temporary-folder.js";

describe("versionPattern", () => {
  const llama = "version: 0.6.0-dev (build 11434, commit unknown)";

  it.each([
    { pattern: "build {{number}}", version: "b11434", output: llama },
    { pattern: "build   {{ number }}", version: "b11434", output: "build\n11434" },
    { pattern: "{{version}}", version: "0.19.0", output: "0.19.0" },
    { pattern: "{{version}}", version: "0.19.0", output: "vllm 0.19.0." },
    { pattern: "{{version}}", version: "0.19.0", output: "vllm/0.19.0 (linux)" },
    { pattern: "{{version}}", version: "0.0.150", output: "llama-box-0.0.150, commit 1a2b" },
    { pattern: "{{version}}", version: "v0.7.3", output: "vllm 0.7.3" },
    { pattern: "{{version}}", version: "0.7.3", output: "vllm v0.7.3" },
    { pattern: "{{ version }}", version: "v0.7.3", output: "v0.7.3" },
    { pattern: "{{version}}", version: "b11434", output: "(b11434)" },
    { pattern: "version: {{version}} (", version: "1.2", output: "version: 1.2 (x)" },
    { pattern: "(build {{number}})", version: "b7", output: "x(build 7)y" },
    { pattern: "{{version}}", version: "1.2+cu124", output: "engine 1.2+cu124" },
  ])("finds $version by `$pattern` in `$output`", ({ pattern, version, output }) => {
    expect(versionPattern(pattern, version).test(output)).toBe(true);
  });

  it.each([
    { pattern: "build {{number}}", version: "b1143", output: llama },
    { pattern: "build {{number}}", version: "b11434", output: "build 114345" },
    { pattern: "build {{number}}", version: "b11434", output: "rebuild 11434" },
    { pattern: "build {{number}}", version: "b11434", output: "build-11434" },
    { pattern: "build {{number}}", version: "nightly", output: "build 1" },
    { pattern: "{{version}}", version: "1.2", output: "1.2.3" },
    { pattern: "{{version}}", version: "1.2", output: "0.1.2" },
    { pattern: "{{version}}", version: "1.2", output: "11.2" },
    { pattern: "{{version}}", version: "1.2", output: "1.2rc1 1.2-rc1 1.2+cu124 1.2.dev0 1.2~1" },
    { pattern: "{{version}}", version: "1.2", output: "2024-1.2" },
    { pattern: "{{version}}", version: "1.2", output: "1x2" },
    { pattern: "{{version}}", version: "1", output: "engine 1.1" },
    { pattern: "{{version}}", version: "0.7.3", output: "dev0.7.3" },
  ])("does not find $version by `$pattern` in `$output`", ({ pattern, version, output }) => {
    expect(versionPattern(pattern, version).test(output)).toBe(false);
  });

  const version = fc.stringMatching(/^v?\d{1,3}(?:\.\d{1,3}){0,2}(?:[-+.]?[a-z]{1,3}\d?)?$/);

  it("finds any version in its own output, and in no other version's", () => {
    fc.assert(
      fc.property(version, version, (one, other) => {
        const same = one.replace(/^v/, "") === other.replace(/^v/, "");
        expect(versionPattern("{{version}}", one).test(`engine ${other} (x)`)).toBe(same);
      }),
      { examples: [["1.2", "1.2.3"]] },
    );
  });

  it("takes the pattern's own characters as they are", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 20 }), (text) => {
        fc.pre(text.trim() === text && !/[{}\s\0]/.test(text));
        expect(versionPattern(`${text} {{version}}`, "1.2").test(` ${text} 1.2 `)).toBe(true);
      }),
    );
  });
});

describe("probeEngine", () => {
  const host = new LocalHost("local", { PATH: process.env.PATH ?? "", HOME: "/" });

  async function probe(script: string, version = "b11434", deadlineSeconds = 60): Promise<void> {
    const executable = join(await temporaryFolder(), "engine");
    await writeFile(executable, script);
    await chmod(executable, 0o755);
    const probe = { arguments: ["--version", "a b"], pattern: "build {{number}}" };
    await probeEngine({ host }, { executable, probe, version, subject: "host local: engine", deadlineSeconds });
  }

  it("asks with the probe's arguments, and takes either output", async () => {
    await probe('#!/bin/sh\n[ "$1" = --version ] && [ "$2" = "a b" ] && echo build 11434');
    await probe("#!/bin/sh\necho hello; echo build 11434 >&2");
  });

  it.each([
    { what: "another version", script: "echo build 11435; echo more", got: "build 11435" },
    { what: "no output", script: "true", got: "no output" },
    { what: "an exit code, whatever it tells", script: "echo build 11434; exit 3", got: "exit code 3: build 11434" },
    {
      what: "an output without end of line, cut",
      script: "printf %5000s | tr ' ' x",
      got: "x".repeat(200),
    },
  ])("refuses $what", async ({ script, got }) => {
    await expect(probe(`#!/bin/sh\n${script}`)).rejects.toMatchObject({
      code: "install-failed",
      parts: { where: "host local: engine", got, expected: "build 11434" },
    });
  });

  it("does not wait for an engine that does not end", async () => {
    await expect(probe("#!/bin/sh\nsleep 1000", "b11434", 0.2)).rejects.toMatchObject({
      code: "install-failed",
      parts: { got: "no end within 0.2 s", expected: "build 11434" },
    });
  });

  it("tells that a file of another system does not run", async () => {
    await expect(probe("\x7fELFnot for this machine")).rejects.toMatchObject({
      code: "install-failed",
      parts: { got: expect.stringMatching(/^exit code 1\d\d: /) as string, expected: "build 11434" },
    });
  });
});
