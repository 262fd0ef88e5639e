import { readFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, expect, it } from "vitest";

import { fakeStack, serveModels, type FakeDeployment } from "../support/fake-stack.js";
import type { FileServer } from "../support/file-server.js";
import { recordedPorts, recordedSecret, writeRecordedPromotion } from "../support/recorded.js";
import { Sandbox, seedCache, type Outcome } from "../support/sandbox.js";
import { repository } from "../support/toolchain.js";

/** The record tells who promoted. */
const ada = {
  ...{ GIT_CONFIG_COUNT: "2", GIT_CONFIG_KEY_0: "user.name", GIT_CONFIG_VALUE_0: "Ada Lovelace" },
  ...{ GIT_CONFIG_KEY_1: "user.email", GIT_CONFIG_VALUE_1: "ada@example.net" },
};

let server: FileServer;
let sandbox: Sandbox;

beforeAll(async () => {
  server = await serveModels(recordedPorts.models);
  sandbox = await Sandbox.create();
  await expectDone(sandbox.pulumi(["stack", "init", "staging"]));
  for (const stack of ["staging", "test"])
    await expectDone(sandbox.pulumi(["config", "set", "--secret", "berth:key", recordedSecret, "--stack", stack]));
});
afterAll(async () => {
  await sandbox.dispose();
  await server.close();
});

async function expectDone(running: Promise<Outcome>): Promise<string> {
  const { exitCode, output } = await running;
  expect(exitCode, output).toBe(0);
  return output;
}

function writeStaging(chat: FakeDeployment): void {
  const secrets = ["apiKey: { secret: key }", "secretEnv: { FAKE_SECRET: { secret: key } }"];
  const text = fakeStack(
    server,
    recordedPorts.staging,
    { chat: { ...chat, fields: secrets }, code: { version: "2", model: "other" } },
    "supervisord",
    { local: "host-staging" },
  );
  sandbox.write(join("stacks", "staging.yaml"), text);
}

async function release(): Promise<void> {
  for (const stack of ["staging", "test"]) {
    if (stack === "test") await expectDone(sandbox.berth(["promote", "staging", "test"], ada));
    await expectDone(sandbox.pulumi(["up", "--yes", "--skip-preview", "--stack", stack]));
  }
}

/** `npm test -- record` before a release; what is recorded is committed, and never recorded again. */
it("records an environment with two promotions, the evidence of them, and the files that their releases need", async () => {
  const { version } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8")) as { version: string };
  const [first, last] = recordedPorts.runners;
  seedCache(sandbox.path("host-staging"));
  sandbox.write(
    join("stacks", "environments.yaml"),
    "schemaVersion: 1\norder: [staging, test]\nenvironments:\n  staging: { gates: { soak: 100ms, smoke: { chat: [{ prompt: Hello }] } } }\n",
  );
  sandbox.writeStack(
    `schemaVersion: 1\nextends: staging.yaml\nhosts:\n  local: { connection: local, dataDir: host, portRange: [${first}, ${last}], runtime: supervisord }\ndeployments: { chat: {}, code: {} }\n`,
  );
  writeStaging({});
  await release();
  const launcher = join("backends", "fake", "launcher.py");
  sandbox.write(launcher, `${readFileSync(sandbox.path(launcher), "utf8")}# the second release\n`);
  writeStaging({ version: "2" });
  await release();
  const state = await expectDone(sandbox.pulumi(["stack", "export", "--show-secrets", "--stack", "test"]));
  writeRecordedPromotion(version, sandbox, state);
});
