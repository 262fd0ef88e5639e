import { describe, expect, it } from "vitest";

import { assertRules } from "../../../src/lock/rules.js";
import type { EnvironmentRule } from "../../../src/schema/environments.js";
import type { LockFile } from "../../../src/schema/lock.js";
import { thrownBy } from "../support/thrown.js";

type Release = Partial<LockFile["release"][string]>;
type Instance = Partial<LockFile["placement"]["instances"][string]>;

const digest = `sha256:${"a".repeat(64)}`;

/** A lock of one replica, of which only what rules ask about is there. */
function lockOf(release: Release, instance: Instance = {}): LockFile {
  const placed = { deployment: "chat", bindAddress: "127.0.0.1", secretEnv: {}, ...instance };
  return { release: { chat: release }, placement: { instances: { "chat-0": placed } } } as unknown as LockFile;
}

function check(rules: EnvironmentRule[], lock: LockFile): void {
  assertRules({ name: "prod", predecessor: "staging", entry: { rules } }, lock);
}

const image = { method: "image", reference: "r", digest } as const;

const key = { file: "keys/team.pub", sha256: "b".repeat(64) };
const signed = { ...image, signature: { key, value: "AA==", format: "simpleSigning", payload: "{}" } } as const;
const platformFile = {
  os: "linux",
  arch: "x64",
  url: "https://files.example.net/a",
  sha256: "a".repeat(64),
  unpackedBytes: 1,
};
const signedFile = { ...platformFile, signature: { key, value: "AA==" } };
const requirements = { file: "requirements/a.txt", sha256: "a".repeat(64) };

const subordinate = { host: "two", devices: [] as string[], runtime: "supervisord", port: 14_001 } as const;

const cases: [EnvironmentRule, string, LockFile, string][] = [
  ["pinnedArtifacts", "an executable of unknown bytes", lockOf({ install: { method: "manual" } }), "give its `sha256`"],
  ["signedArtifacts", "an image without a signature", lockOf({ install: image }), "its image r:"],
  [
    "signedArtifacts",
    "a file without a signature beside one that has it",
    lockOf({ install: { method: "binary", artifacts: [signedFile, { ...platformFile, arch: "arm64" }] } }),
    "its file https://files.example.net/a:",
  ],
  [
    "signedArtifacts",
    "packages",
    lockOf({ install: { method: "pipx", package: "engine", requirements } }),
    "hashes and no signature",
  ],
  [
    "signedArtifacts",
    "an executable of an administrator",
    lockOf({ install: { method: "manual", sha256: "a".repeat(64) } }),
    "no signature",
  ],
  [
    "keyedAddresses",
    "an address that others reach, without a key",
    lockOf({ install: image, apiKeyVariable: "KEY" }, { bindAddress: "0.0.0.0" }),
    "chat-0 serves on 0.0.0.0 without a key",
  ],
  [
    "keyedAddresses",
    "an RPC server that admits anybody",
    lockOf({ install: image }, { subordinates: [subordinate] }),
    "chat-0 has an RPC server on host two that admits anybody: install HAProxy there",
  ],
  [
    "plainContainers",
    "a privileged container",
    lockOf({ install: image, container: { privileged: { why: "x" } } }),
    "privileged",
  ],
  [
    "plainContainers",
    "the host's shared memory",
    lockOf({ install: image, container: { ipc: "host" } }),
    "shared memory",
  ],
  ["plainContainers", "more capabilities", lockOf({ install: image, container: { capAdd: ["SYS_NICE"] } }), "SYS_NICE"],
];

describe("a rule of an environment", () => {
  it.each(cases)("%s refuses %s, and is silent where it does not hold", (rule, _, lock, told) => {
    const error = thrownBy(() => check([rule], lock));
    expect([error.code, error.message]).toEqual(["rule-broken", expect.stringContaining(told)]);
    expect(() => check([], lock)).not.toThrow();
    expect(() => assertRules(undefined, lock)).not.toThrow();
  });

  it.each([
    ["a pinned executable", lockOf({ install: { method: "manual", sha256: "a".repeat(64) } })],
    ["an image by its digest", lockOf({ install: image, container: { shmBytes: 1 } })],
    [
      "an address with a key",
      lockOf({ install: image, apiKeyVariable: "KEY" }, { bindAddress: "0.0.0.0", secretEnv: { KEY: "key" } }),
    ],
    ["loopback", lockOf({ install: image }, { bindAddress: "::1" })],
    [
      "an RPC server with HAProxy before it, and a node of Ray, which has its token",
      lockOf(
        { install: image },
        {
          subordinates: [
            { ...subordinate, haproxy: "/usr/sbin/haproxy" },
            { ...subordinate, ray: "member" as const },
          ],
        },
      ),
    ],
  ])("allows %s", (_, lock) => {
    expect(() => check(["pinnedArtifacts", "keyedAddresses", "plainContainers"], lock)).not.toThrow();
  });

  it.each([
    ["a signed image", lockOf({ install: signed })],
    ["signed files", lockOf({ install: { method: "binary", artifacts: [signedFile] } })],
  ])("allows %s", (_, lock) => {
    expect(() => check(["signedArtifacts"], lock)).not.toThrow();
  });

  it("is told with all others that are broken", () => {
    const lock = lockOf({ install: { method: "manual" }, container: { ipc: "host" } }, { bindAddress: "10.0.0.1" });
    const { message } = thrownBy(() => check(["pinnedArtifacts", "keyedAddresses", "plainContainers"], lock));
    expect(message.match(/^.*(?:pinnedArtifacts|keyedAddresses|plainContainers): /gm)).toHaveLength(3);
  });
});
