import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

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
export const recordedPorts = { runners: [13_900, 13_909], models: 13_910, staging: [13_911, 13_919] } as const;

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

/** What a version wrote of an environment that was promoted to: all files of the project that tell of it, and its state. */
export interface RecordedPromotion {
  version: string;
  /** Texts by their path in the project. */
  files: Record<string, string>;
  state: string;
}

const promotionFolder = join(repository, "test", "fixtures", "recorded-promotion");
/** What is kept of a project. */
const promotionFolders = ["backends", "stacks", "promotions"] as const;

/** What each version recorded: two releases that went from `staging` to `test`, with different launchers. */
export function readRecordedPromotions(): RecordedPromotion[] {
  return readdirSync(promotionFolder).map((version) => {
    const root = join(promotionFolder, version);
    const files = promotionFolders.flatMap((folder) => filesBelow(root, folder));
    return {
      version,
      files: Object.fromEntries(files.map((file) => [file, readFileSync(join(root, file), "utf8")])),
      state: readFileSync(join(root, recordedFiles.state), "utf8"),
    };
  });
}

export function writeRecordedPromotion(version: string, sandbox: Sandbox, state: string): void {
  const root = join(promotionFolder, version);
  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), translate(text, sandbox));
  };
  for (const file of promotionFolders.flatMap((folder) => filesBelow(sandbox.root, folder))) {
    const text = readFileSync(sandbox.path(file), "utf8");
    write(file, file.endsWith(".lock.yaml") ? withoutMachine(text) : text);
  }
  write(recordedFiles.state, `${state.trimEnd()}\n`);
}

function filesBelow(root: string, folder: string): string[] {
  const entries = readdirSync(join(root, folder), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();
}

/** Where this machine's Python is concerns nobody. */
export function withoutMachine(lock: string): string {
  return lock.replaceAll(/path: .*python.*/g, "path: /usr/bin/python3");
}

/** From what stands in a sandbox's files to what is kept, or with `back` the other way. */
export function translate(text: string, sandbox: Sandbox, back = false): string {
  const marks: [string, string][] = [
    [sandbox.root, "{{project}}"],
    [repository, "{{berth}}"],
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
