import { describe, expect, it } from "vitest";

import { parseYaml } from "../../../src/schema/document.js";
import { largestDocumentBytes } from "../../../src/schema/yaml-text.js";
import { stackFile } from "../../../src/schema/stack.js";
import { thrownBy } from "../support/thrown.js";

const head = "schemaVersion: 1\nhosts:\n  local: { connection: local }\n";
const model = `model: { source: file, path: /m.gguf, sha256: ${"a".repeat(64)} }`;
/** A stack with one deployment, whose given lines begin on line 6. */
const chat = (...lines: string[]) => `${head}deployments:\n  chat:\n    ${[...lines, model].join("\n    ")}\n`;

const stackKeys =
  "schemaVersion, extends, hostDefaults, hosts, mirrors, registryLogins, deployments, preload, rollout, gateway";
const deploymentKeys =
  "backend, backendVersion, prefer, install, imageName, runnerImage, entrypoint, runCommand, category, architecture, model, " +
  "contextLength, parameters, extraParameters, env, secretEnv, replicas, host, hostSelector, port, bindAddress, apiKey, " +
  "insecure, update, adopt, container, placement, resources, verify";
const nameRule = "expected 1 to 63 characters of a-z, 0-9 and -, beginning and ending with a letter or digit";
const empty = "1:1: the file is empty; expected Berth stack file: the desired state of one environment";

/** What is told of a stack file, line by line, without the file's name. */
function problemsOf(text: string): string[] {
  const error = thrownBy(() => parseYaml(text, "stacks/dev.yaml", stackFile));
  return error.message.split("\n").map((line) => line.replace(/^stacks\/dev\.yaml:/, ""));
}

describe("parseYaml tells where a stack file is wrong and what was expected", () => {
  it.each<[string, string, string[]]>([
    ["an unknown key", `${head}deploymets: {}\n`, [`4:1: unknown key "deploymets"; expected one of ${stackKeys}`]],
    [
      "an unknown key further down",
      chat("backend: x", "prot: 3"),
      [`7:5: unknown key "prot" in "deployments.chat"; expected one of ${deploymentKeys}`],
    ],
    ["a list for a text", chat("backend: [a, b]"), ['6:14: "deployments.chat.backend": expected a string; got [a, b]']],
    [
      "a text for a number",
      chat("backend: x", 'port: "80"'),
      ['7:11: "deployments.chat.port": expected a number; got "80"'],
    ],
    ["a text for a map", `${head}deployments: chat\n`, ['4:14: "deployments": expected a map; got "chat"']],
    [
      "no whole number",
      chat("backend: x", "port: 80.5"),
      ['7:11: "deployments.chat.port": expected a whole number; got 80.5'],
    ],
    ["nothing for a text", chat("backend:"), ['6:13: "deployments.chat.backend": expected a string; got nothing']],
    ["a missing key", chat(), ['6:5: "deployments.chat.backend" is missing; expected a string']],
    [
      "an unknown kind of source",
      chat("backend: x").replace("file", "ftp"),
      ['7:22: "deployments.chat.model.source": expected "wheels" or "url" or "file" or "huggingface"; got "ftp"'],
    ],
    [
      "no source",
      chat("backend: x").replace("source: file,", ""),
      ['7:12: "deployments.chat.model.source" is missing; expected "wheels" or "url" or "file" or "huggingface"'],
    ],
    [
      "a duplicate key",
      chat("backend: x", "backend: y"),
      ['7:5: "backend" was given on line 6 already; expected each key once'],
    ],
    [
      "a duplicate key in other quotes",
      `${head}"hosts": {}\n`,
      ['4:1: "hosts" was given on line 2 already; expected each key once'],
    ],
    ["a key that would vanish", `${head}deployments:\n  __proto__: {}\n`, ["5:3: __proto__ cannot be a key"]],
    ["a merge key", chat("<<: {}"), ["6:5: merge keys are not supported; expected each key written out"]],
    ["a tab", `${head}deployments:\n\tchat: {}\n`, ["5:1: tabs are not allowed as indentation; expected spaces"]],
    [
      "a zero byte",
      chat('env: { A: "x\\0y" }'),
      ["6:15: a text holds a zero byte or half a surrogate pair, which no program takes"],
    ],
    [
      "half a surrogate pair",
      chat('extraParameters: ["\\ud800"]'),
      ["6:23: a text holds a zero byte or half a surrogate pair, which no program takes"],
    ],
    ["an empty file", "", [empty]],
    ["a blank file", " \n\n", [empty]],
    ["nothing but comments", "# a\n# b\n", [empty]],
    ["nothing but the mark of a document", "---\n# a\n", [empty]],
    ["null", "~\n", ["1:1: the document: expected a map; got ~"]],
    ["a list", "- a\n- b\n", ["1:1: the document: expected a map; got - a - b"]],
    [
      "several documents",
      `${head}---\n${head}`,
      ["4:1: a second document begins here; expected one document in the file"],
    ],
    ["a name with /", `${head}deployments:\n  a/b: {}\n`, [`5:3: key "a/b" in "deployments": ${nameRule}`]],
    ["a name that is ..", `${head}deployments:\n  ..: {}\n`, [`5:3: key ".." in "deployments": ${nameRule}`]],
    [
      "a host's name with ..",
      "schemaVersion: 1\nhosts:\n  ../x: { connection: local }\n",
      [`3:3: key "../x" in "hosts": ${nameRule}; a range is gpu-[01-24]`],
    ],
    [
      "a number as version, as it is written",
      chat("backend: x", "backendVersion: 0.10"),
      [
        '7:21: "deployments.chat.backendVersion": expected a string; put the version in quotes, because 0.10 without them is the number 0.1; got 0.10',
      ],
    ],
    [
      "a number as key",
      `${head}deployments:\n  1.10: {}\n`,
      ["5:3: the key 1.10 is the number 1.1; expected it in quotes"],
    ],
    [
      "a number for a variable, and a variable with no name",
      chat("backend: x", "env: { A: 1, b-c: x }"),
      [
        '7:15: "deployments.chat.env.A": expected a string; put numbers and booleans in quotes; got 1',
        '7:18: key "b-c" in "deployments.chat.env": expected the name of an environment variable',
      ],
    ],
    [
      "a secret for a variable with no name",
      chat("backend: x", 'secretEnv: { "A=B": { secret: key } }'),
      ['7:18: key "A=B" in "deployments.chat.secretEnv": expected the name of an environment variable'],
    ],
    [
      "a duration without its unit",
      chat("backend: x", "update: { stopTimeout: 30 }"),
      ['7:28: "deployments.chat.update.stopTimeout": expected a duration with its unit, such as "30s"; got 30'],
    ],
    [
      "a deadline before a runner can have been healthy for long enough",
      chat("backend: x", "update: { minHealthyTime: 10m }"),
      [
        '7:13: "deployments.chat.update": expected a minHealthyTime that is over before the healthyDeadline; got { minHealthyTime: 10m }',
      ],
    ],
    [
      "ports the wrong way round",
      "schemaVersion: 1\nhosts:\n  local: { connection: local, portRange: [5, 3] }\n",
      ['3:42: "hosts.local.portRange": expected [first, last] with first not above last; got [5, 3]'],
    ],
    [
      "a host's name for an address",
      chat("backend: x", "bindAddress: localhost"),
      ['7:18: "deployments.chat.bindAddress": expected an IP address; got "localhost"'],
    ],
    [
      "a folder for a model's file",
      chat("backend: x").replace("/m.gguf", "/models/"),
      ['7:34: "deployments.chat.model.path": expected the absolute path of a file on the host; got "/models/"'],
    ],
    [
      "another version of the format",
      "schemaVersion: 2\nhosts: { a: { connection: local } }",
      ['1:16: "schemaVersion": expected 1; got 2'],
    ],
    [
      "an unclosed bracket",
      `${head}deployments: {\n`,
      ["5:1: flow map in block collection must be sufficiently indented and end with a }"],
    ],
    [
      "an alias of nothing",
      `${head}deployments: *nope\n`,
      ["4:14: nothing is named &nope; expected an alias of something above"],
    ],
    [
      "a wrong value by way of an alias, where the alias stands",
      "schemaVersion: 1\nhosts:\n  a: &a { connection: sh }\n  b: *a\n",
      [
        '3:23: "hosts.a.connection": expected "local" or "ssh"; got "sh"',
        '4:6: "hosts.b.connection": expected "local" or "ssh"; got "sh"',
      ],
    ],
    [
      "a list that holds itself",
      chat("backend: &b [*b]"),
      ['6:17: "deployments.chat.backend": expected a string; got [*b]'],
    ],
    [
      "an address with a password, without the password",
      `${head}mirrors: { pip: "https://me:hunter2@pip.example/simple" }\n`,
      [
        '4:17: "mirrors.pip": expected an address without user, password, query or fragment; give an index that asks for them as PIP_INDEX_URL, or its password in ~/.netrc of the host; got "https://[secret]@pip.example/simple"',
      ],
    ],
  ])("%s", (_, text, problems) => {
    expect(problemsOf(text)).toEqual(problems);
  });

  it.each([
    chat('apiKey: "hunter2"'),
    chat('secretEnv: { OTHER: "hunter2" }'),
    `${head}mirrors: { registries: { docker.io: "me:hunter2@registry.example.net" } }\n`,
  ])("shows no secret that stands in plain text by mistake: %j", (text) => {
    const problems = problemsOf(text).join("\n");
    expect(problems).toMatch(/got .+/);
    expect(problems).not.toContain("hunter2");
  });

  it("counts lines and columns the same with CRLF and after a byte order mark", () => {
    const text = `${head}deploymets: {}\n`;
    expect(problemsOf(text.replaceAll("\n", "\r\n"))).toEqual(problemsOf(text));
    expect(problemsOf("\uFEFFschemaversion: 1\n")).toContain(
      `1:1: unknown key "schemaversion"; expected one of ${stackKeys}`,
    );
    expect(parseYaml(`\uFEFF${head}`, "a.yaml", stackFile)).toEqual(parseYaml(head, "a.yaml", stackFile));
  });

  it("an alias bomb, before it grows", () => {
    const level = (name: string, of: string) =>
      `${name}: &${name} [${Array.from({ length: 9 }, () => of).join(", ")}]\n`;
    const bomb = level("a", "x") + level("b", "*a") + level("c", "*b") + level("d", "*c");
    expect(problemsOf(bomb)).toEqual([
      "2:8: the file's aliases grow too large",
      "  expected: at most 100 nodes by way of aliases",
    ]);
  });

  it("a file of 10 MB, before it is parsed", () => {
    expect(problemsOf(`${head}# ${"x".repeat(10_000_000)}`)).toEqual([
      "1:1: the file is too large",
      "  got: 10000057 bytes",
      `  expected: at most ${largestDocumentBytes} bytes`,
    ]);
  });

  it("brackets without end, and a map of very many keys", () => {
    expect(problemsOf("[".repeat(100_000))[0]).toMatch(/^1:\d+: the file is nested too deeply$/);
    const keys = Array.from({ length: 40_000 }, (_, index) => `k${index}: 1\n`).join("");
    expect(problemsOf(keys).at(-1)).toBe("and 39992 more");
  });

  it("the first ten problems at once, in the order of the file, and how many more there are", () => {
    const lines = Array.from({ length: 14 }, (_, index) => `k${index}: 1\n`).join("");
    const problems = problemsOf(`${head}${lines}`);
    expect(problems.map((line) => line.split(":").slice(0, 2).join(":"))).toEqual([
      ...Array.from({ length: 10 }, (_, index) => `${index + 4}:1`),
      "and 4 more",
    ]);
  });

  it("a long value shortened", () => {
    const [problem = ""] = problemsOf(chat(`backend: ${"X".repeat(500)}`));
    expect(problem).toBe(`6:14: "deployments.chat.backend": ${nameRule}; got "${"X".repeat(76)}...`);
  });

  it("with the code file-invalid, or file-too-large", () => {
    expect(thrownBy(() => parseYaml("a: 1", "a.yaml", stackFile)).code).toBe("file-invalid");
    expect(thrownBy(() => parseYaml("#".repeat(largestDocumentBytes + 1), "a.yaml", stackFile)).code).toBe(
      "file-too-large",
    );
  });
});

it("shows neither the query nor the password of an address that it refuses", () => {
  const told = (address: string) => problemsOf(`${head}mirrors: { downloadBaseUrl: "${address}" }\n`).join();
  expect(told("https://m.example/x?token=hunter2")).toMatch(
    /expected an address without .*got "https:\/\/m\.example\/x\?\[secret\]"$/,
  );
  expect(told("https://u:hunter2@m.example/x?a=hunter2")).not.toContain("hunter2");
});
