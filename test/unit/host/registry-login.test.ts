import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { LocalHost } from "../../../src/host/local.js";
import { createRegistryLogins, findWritten } from "../../../src/host/registry-login.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { rejectionOf } from "../support/thrown.js";

const encoded = (text: string) => Buffer.from(text).toString("base64");
const ann = { username: "ann", password: "hunter2" };

/** The logins of a configuration, with programs on PATH. */
async function logins(config: unknown, programs: Readonly<Record<string, string>> = {}) {
  const folder = await temporaryFolder();
  await mkdir(join(folder, ".docker"));
  await writeFile(join(folder, ".docker", "config.json"), typeof config === "string" ? config : JSON.stringify(config));
  for (const [name, script] of Object.entries(programs))
    await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const machine = new LocalHost("local", { PATH: `${folder}:/usr/bin:/bin`, HOME: folder });
  return { folder, find: createRegistryLogins({ HOME: folder }, machine) };
}

describe("a login of a registry", () => {
  it.each([
    ["registry.example.net", "registry.example.net"],
    ["registry.example.net:5000", "registry.example.net:5000"],
    ["https://registry.example.net/v2/", "registry.example.net"],
    ["https://index.docker.io/v1/", "registry-1.docker.io"],
  ])("that is written for %s is that of %s", async (key, registry) => {
    const { find } = await logins({ auths: { [key]: { auth: encoded("ann:hunter2") } } });
    expect(await find(registry)).toEqual(ann);
  });

  it.each([
    ["of another registry", { auths: { "registry.example.net": { auth: encoded("ann:hunter2") } } }],
    ["of another port", { auths: { "other.example.net:5000": { auth: encoded("ann:hunter2") } } }],
    ["that is empty, as Docker leaves it for helpers", { auths: { "other.example.net": {} } }],
    ["without a user", { auths: { "other.example.net": { auth: encoded(":hunter2") } } }],
    ["that is none", { auths: { "other.example.net": { auth: "###" } } }],
    ["where nothing is written", {}],
  ])("is none %s", async (_, config) => {
    const { find } = await logins(config);
    expect(await find("other.example.net")).toBeUndefined();
  });

  it("is none where there is no configuration", async () => {
    const folder = await temporaryFolder();
    const machine = new LocalHost("local", { PATH: "/nowhere", HOME: folder });
    expect(await createRegistryLogins({ HOME: folder }, machine)("registry.example.net")).toBeUndefined();
  });

  it("is read from the folder that DOCKER_CONFIG names", async () => {
    const { folder } = await logins({ auths: { "registry.example.net": { auth: encoded("ann:hunter2") } } });
    const machine = new LocalHost("local", { PATH: "/nowhere", HOME: "/nowhere" });
    const find = createRegistryLogins({ DOCKER_CONFIG: join(folder, ".docker"), HOME: "/nowhere" }, machine);
    expect(await find("registry.example.net")).toEqual(ann);
  });

  it("holds any password, colons and all", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[^:\0]+$/), fc.stringMatching(/^[^\0]*$/), (username, password) => {
        fc.pre(Buffer.from(username + password).toString("utf8") === username + password);
        const auths = { "registry.example.net": { auth: encoded(`${username}:${password}`) } };
        expect(findWritten({ auths }, "registry.example.net")).toEqual({ username, password });
      }),
    );
  });

  const helper = (secret: string) =>
    `test "$1" = get && test "$(cat)" = registry.example.net && echo '{"ServerURL":"x","Username":"ann","Secret":"${secret}"}'`;

  it("is asked of the helper that is named for the registry, else of the one for all, by standard input", async () => {
    const programs = { "docker-credential-own": helper("hunter2"), "docker-credential-all": helper("hunter3") };
    const both = await logins({ credsStore: "all", credHelpers: { "registry.example.net": "own" } }, programs);
    expect(await both.find("registry.example.net")).toEqual(ann);
    const one = await logins({ credsStore: "all" }, programs);
    expect(await one.find("registry.example.net")).toEqual({ username: "ann", password: "hunter3" });
  });

  it.each([
    ["has none", "echo 'credentials not found in native keychain'; exit 1"],
    ["writes what is no answer", "echo hello"],
    ["has a token of another protocol", `echo '{"Username":"<token>","Secret":"hunter2"}'`],
  ])("is none where the helper %s", async (_, script) => {
    const { find } = await logins({ credsStore: "all" }, { "docker-credential-all": script });
    expect(await find("registry.example.net")).toBeUndefined();
  });

  it("is none where the helper is not there", async () => {
    const { find } = await logins({ credsStore: "missing" });
    expect(await find("registry.example.net")).toBeUndefined();
  });

  it.each([
    ["is no JSON", `{"auths": {"r": {"auth": "${encoded("ann:hunter2")}"}`],
    ["has another form", { auths: "hunter2" }],
    ["names a program with a path", { credsStore: "../bin/sh" }],
  ])("is refused where the configuration %s, without citing it", async (_, config) => {
    const { find } = await logins(config);
    const error = await rejectionOf(find("registry.example.net"));
    expect(error.code).toBe("file-invalid");
    expect(error.message).toContain("config.json");
    expect(error.message).not.toContain("hunter2");
    expect(error.message).not.toContain(encoded("ann:hunter2"));
  });
});
