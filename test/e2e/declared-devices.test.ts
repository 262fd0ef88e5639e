import { mkdirSync, readFileSync } from "node:fs";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { fakeStack, serveModels } from "../support/fake-stack.js";
import type { FileServer } from "../support/file-server.js";
import { Sandbox } from "../support/sandbox.js";

describe("a deployment on devices of a type that only a file of the project describes", () => {
  let server: FileServer;
  let sandbox: Sandbox;
  const devices = ["0, NEW-a, 80000 MiB", "1, NEW-b, 80000 MiB"];

  beforeAll(async () => {
    server = await serveModels();
    sandbox = await Sandbox.create();
    const backend = readFileSync(sandbox.path("backends", "fake.yaml"), "utf8");
    const types = "acceleratorTypes: [newtype, cpu]";
    sandbox.write("backends/fake.yaml", backend.replaceAll("package: six,", `package: six, ${types},`));
    sandbox.write("new-devices.txt", `${devices.join("\n")}\n`);
    mkdirSync(sandbox.path("backends", "runners"));
    sandbox.write(
      "backends/runners/newtype.yaml",
      `schemaVersion: 1
acceleratorType: newtype
name: New type
vendor: newvendor
device: New device
devices:
  find:
    command: [cat, "${sandbox.path("new-devices.txt")}"]
    pattern: "^(?<index>\\\\d+), (?<uuid>\\\\S+), (?<memory>\\\\d+ MiB)$"
  variable: NEW_VISIBLE_DEVICES
hostRuntime: { comparable: false, source: Nothing tells it }
services: {}
versions: []
`,
    );
  });
  afterAll(async () => {
    await sandbox.dispose();
    await server.close();
  });

  it("has one of them, is told which by its variable, and is not left when it is the same again", async () => {
    const fields = [`resources: { vramBytes: ${30 * 2 ** 30} }`, "placement: { devices: { local: [NEW-b] } }"];
    sandbox.writeStack(fakeStack(server, sandbox.portRange, { chat: { fields } }));
    const { exitCode, output } = await sandbox.up([], { PATH: sandbox.searchPath });
    expect(exitCode, output).toBe(0);
    const [instance] = sandbox.resources("Instance");
    expect(instance?.inputs).toMatchObject({ devices: ["NEW-b"], env: { NEW_VISIBLE_DEVICES: "1" } });
    const environments = sandbox.runners().map((pid) => readFileSync(`/proc/${pid}/environ`, "utf8").split("\0"));
    expect(environments).toEqual([expect.arrayContaining(["NEW_VISIBLE_DEVICES=1"])]);
    const again = await sandbox.up(["--expect-no-changes"], { PATH: sandbox.searchPath });
    expect(again.exitCode, again.output).toBe(0);
  });
});
