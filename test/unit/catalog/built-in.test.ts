import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { builtInPlaceholders } from "../../../src/catalog/command.js";
import { splitWords } from "../../../src/catalog/words.js";
import { backendFile } from "../../../src/schema/backend.js";
import { parseYaml } from "../../../src/schema/document.js";
import { repository } from "../support/repository.js";

const folder = join(repository, "backends");
const read = (file: string) => readFileSync(join(folder, file), "utf8");
const files = readdirSync(folder).filter((file) => file.endsWith(".yaml"));
const backends = files.map((file) => [file, parseYaml(read(file), file, backendFile)] as const);
const versions = backends.flatMap(([file, backend]) =>
  Object.entries(backend.versions).map(([version, entry]) => ({ file, version, backend, entry, ...entry.install })),
);

describe("the built-in backends", () => {
  it("are there", () => {
    expect(versions.length).toBeGreaterThan(1);
  });

  it.each(backends)("%s has the name of its file", (file, { name }) => {
    expect(file).toBe(`${name}.yaml`);
  });

  it.each(versions)("$file: $version has a command of known placeholders", ({ backend, entry }) => {
    const words = splitWords(entry.runCommand ?? backend.runCommand);
    const named = words.flat().flatMap((part) => (typeof part === "string" ? [] : [part.name]));
    const known: readonly string[] = [...builtInPlaceholders, ...Object.keys({ ...backend.env, ...entry.env })];
    expect(named.filter((name) => !known.includes(name))).toEqual([]);
    expect(named).toEqual(expect.arrayContaining(["model_path", "port"]));
  });

  it.each(versions)("$file: $version lets no deployment give what its command gives", ({ backend, entry }) => {
    const words = splitWords(entry.runCommand ?? backend.runCommand);
    const flags = words.flatMap(([first]) => (typeof first === "string" && first.startsWith("-") ? [first] : []));
    expect(flags.filter((flag) => !backend.ownedFlags.includes(flag))).toEqual([]);
  });

  it.each(versions)("$file: $version names files that are there", ({ pipx }) => {
    for (const file of [pipx.requirements, pipx.launcher ?? pipx.requirements]) expect(read(file)).not.toBe("");
  });

  it.each(versions)("$file: $version pins every package, the engine among them, with hashes", ({ pipx, version }) => {
    // A requirement may go on over lines that end in a backslash.
    const lines = read(pipx.requirements).replaceAll("\\\n", " ").split("\n");
    const requirements = lines.map((line) => line.replace(/(?:^|\s)#.*$/, "").trim()).filter((line) => line !== "");
    for (const line of requirements)
      expect(line).toMatch(/^[\w.-]+==[\w.+!-]+(?:\s*;[^#]+?)?(?:\s+--hash=sha256:[0-9a-f]{64})+$/);
    expect(requirements.some((line) => line.startsWith(`${pipx.package}==${version} `))).toBe(true);
  });
});

describe("Berth's own Python tools", () => {
  const tools = join(repository, "tools/python");

  it.each(readdirSync(tools).filter((file) => file.endsWith(".txt")))("%s has a hash for every package", (file) => {
    const lines = readFileSync(join(tools, file), "utf8").replaceAll("\\\n", " ").split("\n");
    const requirements = lines.filter((line) => !/^\s*(?:#|$)/.test(line));
    expect(requirements.length).toBeGreaterThan(0);
    for (const line of requirements)
      expect(line).toMatch(/^[\w.-]+==[\w.+!-]+(?:\s*;[^#]+?)?(?:\s+--hash=sha256:[0-9a-f]{64})+(?:\s+#.*)?\s*$/);
  });
});
