import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, expect, it } from "vitest";

import { serveModels } from "../support/fake-stack.js";
import type { FileServer } from "../support/file-server.js";
import {
  recordedBackends,
  recordedFiles,
  recordedFolder,
  recordedPorts,
  recordedSecret,
  recordedStack,
  translate,
  withoutMachine,
} from "../support/recorded.js";
import { Sandbox } from "../support/sandbox.js";
import { repository } from "../support/toolchain.js";

let server: FileServer;
let sandbox: Sandbox;

beforeAll(async () => {
  server = await serveModels(recordedPorts.models);
  sandbox = await Sandbox.create();
});
afterAll(async () => {
  await sandbox.dispose();
  await server.close();
});

/** `npm test -- record` before a release; what is recorded is committed, and never recorded again. */
it("records the state and the lock that this version writes", async () => {
  const { version } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8")) as { version: string };
  await sandbox.pulumi(["config", "set", "--secret", "berth:key", recordedSecret, "--stack", "test"]);
  sandbox.writeStack(recordedStack(server));
  const { exitCode, output } = await sandbox.up();
  expect(exitCode, output).toBe(0);
  const { output: state } = await sandbox.pulumi(["stack", "export", "--show-secrets", "--stack", "test"]);
  const read = (file: string) => readFileSync(sandbox.path("stacks", file), "utf8");

  const folder = recordedFolder(version);
  mkdirSync(folder, { recursive: true });
  const write = (file: string, text: string) => writeFileSync(join(folder, file), translate(text, sandbox));
  cpSync(sandbox.path("backends"), join(folder, recordedBackends), { recursive: true });
  write(recordedFiles.stack, read("test.yaml"));
  write(recordedFiles.lock, withoutMachine(read("test.lock.yaml")));
  write(recordedFiles.state, `${state.trimEnd()}\n`);
});
