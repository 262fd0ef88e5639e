import { existsSync, readFileSync } from "node:fs";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { serveFiles, type FileServer } from "../support/file-server.js";
import { Sandbox } from "../support/sandbox.js";
import { Signer } from "../support/signer.js";

const signer = new Signer();
const one = "#!/bin/sh\necho engine 1\n";
const two = "#!/bin/sh\necho engine 2\n";

describe("a file that must be signed", () => {
  let server: FileServer;
  let sandbox: Sandbox;

  beforeAll(async () => {
    server = await serveFiles({
      "/1/engine": one,
      "/1/engine.sig": signer.sign(one),
      "/2/engine": two,
      "/2/engine.sig": new Signer().sign(two),
    });
    sandbox = await Sandbox.create();
    const version = (name: string) =>
      `  "${name}": { install: { binary: [{ os: linux, arch: x64, url: "${server.url(`/${name}/engine`)}", signature: { key: keys/team.pub } }] } }`;
    const backend = [
      "schemaVersion: 1",
      "name: signed",
      "runCommand: serve",
      "versions:",
      version("1"),
      version("2"),
      "",
    ];
    sandbox.write("backends/signed.yaml", backend.join("\n"));
    sandbox.makeFolder("backends", "keys");
    sandbox.write("backends/keys/team.pub", signer.pem);
  });
  afterAll(async () => {
    await sandbox.dispose();
    await server.close();
  });

  function want(version: string): void {
    sandbox.writeStack(`schemaVersion: 1
hosts: { local: { connection: local, dataDir: host } }
preload: { engine: { backend: signed, backendVersion: "${version}" } }
`);
  }
  const lock = () => readFileSync(sandbox.path("stacks", "test.lock.yaml"), "utf8");

  it("is installed when it is, and its signature is in the lock and the state", async () => {
    want("1");
    const { exitCode, output } = await sandbox.up();
    expect(exitCode, output).toBe(0);
    expect(lock()).toMatch(/signature:\n +key:\n +file: keys\/team.pub/);
    const [version] = sandbox.resources("BackendVersion");
    expect(version?.outputs.artifacts).toMatchObject([{ signature: { key: { file: "keys/team.pub" } } }]);
    expect(readFileSync(sandbox.path("host", "bin", "signed_1"), "utf8")).toBe(one);
  });

  it("is neither locked nor installed when somebody else signed it; what was there stays", async () => {
    const before = lock();
    want("2");
    const { exitCode, output } = await sandbox.up();
    expect(exitCode).not.toBe(0);
    expect(output).toContain("signature-invalid");
    expect(output).toContain("backends/keys/team.pub");
    expect(lock()).toBe(before);
    expect(existsSync(sandbox.path("host", "bin", "signed_2"))).toBe(false);
    expect(readFileSync(sandbox.path("host", "bin", "signed_1"), "utf8")).toBe(one);
  });

  it("is not fetched for its signature again while the lock has it", async () => {
    want("1");
    const asked = server.requests.length;
    const { exitCode, output } = await sandbox.up();
    expect(exitCode, output).toBe(0);
    expect(server.requests.slice(asked)).toEqual([]);
  });
});
