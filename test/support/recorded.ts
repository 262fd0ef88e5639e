import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { fakeStack } from "./fake-stack.js";
import type { FileServer } from "./file-server.js";
import type { Sandbox } from "./sandbox.js";
import { repository } from "./toolchain.js";

/**
 * What a version of Berth wrote: a state and a lock, for the stack file beside them. Where they were recorded stands
 * in them as marks.
 */
export interface Recorded {
  version: string;
  stack: string;
  lock: string;
  state: string;
}

/** Beside them the backend files of then, which the lock has by their digest. */
export const recordedBackends = "backends";
export const recordedFiles = { stack: "stack.yaml", lock: "stack.lock.yaml", state: "state.json" } as const;
const folder = join(repository, "test", "fixtures", "recorded");

/** The stack file tells these ports, and the lock its digest. No other test has them. */
export const recordedPorts = { runners: [13_900, 13_909], models: 13_910 } as const;

/** The secret of the recorded stack. */
export const recordedSecret = "recorded-canary-2f60";

/** What each version recorded: two deployments of two backend versions and two models, one with secrets. */
export function recordedStack(server: FileServer): string {
  return fakeStack(server, recordedPorts.runners, {
    chat: { fields: ["apiKey: { secret: key }", "secretEnv: { FAKE_SECRET: { secret: key } }"] },
    code: { version: "2", model: "other", fields: ['extraParameters: ["--text", "six"]'] },
  });
}

export function recordedFolder(version: string): string {
  return join(folder, version);
}

export function readRecorded(): Recorded[] {
  return readdirSync(folder).map((version) => {
    const read = (file: string) => readFileSync(join(folder, version, file), "utf8");
    return {
      version,
      stack: read(recordedFiles.stack),
      lock: read(recordedFiles.lock),
      state: read(recordedFiles.state),
    };
  });
}

/** From what stands in a sandbox's files to what is kept, or with `back` the other way. */
export function translate(text: string, sandbox: Sandbox, back = false): string {
  const marks: [string, string][] = [
    [sandbox.root, "{{project}}"],
    [encryptionSalt(sandbox), "{{salt}}"],
  ];
  return marks.reduce(
    (changed, [own, mark]) => (back ? changed.replaceAll(mark, own) : changed.replaceAll(own, mark)),
    text,
  );
}

/** With it a state's secrets belong to the sandbox's passphrase. */
function encryptionSalt(sandbox: Sandbox): string {
  const configuration = readFileSync(sandbox.path("Pulumi.test.yaml"), "utf8");
  return /^encryptionsalt: (\S+)$/m.exec(configuration)?.[1] ?? "";
}
