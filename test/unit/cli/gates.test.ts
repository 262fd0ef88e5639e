import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { execa } from "execa";
import { describe, expect, it } from "vitest";

import { readGates } from "../../../src/cli/gates.js";
import { findCommit } from "../../../src/cli/git-commit.js";
import { formatTable } from "../../../src/cli/verify.js";
import type { DeploymentEvidence } from "../../../src/schema/evidence.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { thrownBy } from "../support/thrown.js";

async function project(environments?: string): Promise<string> {
  const root = await temporaryFolder();
  await mkdir(join(root, "stacks"));
  if (environments !== undefined) await writeFile(join(root, "stacks", "environments.yaml"), environments);
  return root;
}

describe("readGates", () => {
  it("has none without a file or an entry", async () => {
    expect(readGates(await project(), "staging")).toEqual({});
    const root = await project("schemaVersion: 1\norder: [dev]\n");
    expect(readGates(root, "dev")).toEqual({});
    expect(readGates(root, "constructor")).toEqual({});
  });

  it("reads those of the environment", async () => {
    const root = await project(
      "schemaVersion: 1\norder: [dev, staging]\nenvironments: { dev: {}, staging: { gates: { soak: 1h } } }",
    );
    expect(readGates(root, "staging")).toEqual({ soak: 3600 });
  });

  it("names the place of what is wrong in them", async () => {
    const root = await project(
      "schemaVersion: 1\norder: [staging]\nenvironments:\n  staging:\n    gates: { soaks: 1h }",
    );
    expect(thrownBy(() => readGates(root, "staging")).message).toMatch(/^stacks\/environments\.yaml:5:\d+: /);
  });
});

describe("findCommit", () => {
  it("is the commit that is checked out, as long as it has the file as it is", async () => {
    const root = await project();
    const git = (...args: string[]) =>
      execa("git", ["-c", "user.name=t", "-c", "user.email=t@example.net", ...args], { cwd: root });
    const file = join("stacks", "dev.lock.yaml");
    expect(await findCommit(root, file)).toBeUndefined();
    await git("init", "--quiet");
    await writeFile(join(root, file), "a: 1\n");
    expect(await findCommit(root, file)).toBeUndefined();
    await git("add", ".");
    await git("commit", "--quiet", "--message", "lock");
    expect(await findCommit(root, file)).toBe((await git("rev-parse", "HEAD")).stdout);
    await writeFile(join(root, file), "a: 2\n");
    expect(await findCommit(root, file)).toBeUndefined();
  });
});

describe("the table of what was verified", () => {
  const chat: DeploymentEvidence = {
    ...{ bundle: "0123456789abcdef".repeat(4), applied: true, healthy: true, soakSeconds: 65, accelerators: ["cpu"] },
    verify: [{ command: "chat-0.verify.a", passed: true }],
    smoke: [
      { instance: "chat-0", what: '"1"', passed: true, got: "1" },
      { instance: "chat-0", what: '"2"', passed: false, got: "1" },
    ],
    performance: [
      {
        instance: "chat-0",
        passed: true,
        requests: 4,
        failures: 1,
        seconds: 1,
        firstTokenSeconds: 0.1,
        tokensPerSecond: 9,
      },
    ],
    failed: ['smoke: chat-0: "2": got 1'],
  };
  const bare = { ...chat, healthy: false, soakSeconds: undefined, verify: [], smoke: [], performance: [], failed: [] };

  it("has a row for each deployment, with figures, and then why some may not go on", () => {
    const lines = formatTable({ environment: "dev", deployments: { chat, bare } }).split("\n");
    expect(lines.map((line) => line.trim().replace(/ {2,}/g, " | "))).toEqual([
      "DEPLOYMENT | BUNDLE | APPLIED | HEALTHY | SOAK | VERIFY | SMOKE | PERFORMANCE | RESULT",
      "chat | 0123456789ab | yes | yes | 1 min 5 s | 1 of 1 | 1 of 2 | 3 of 4 answered, first token 0.1 s, 9 tokens/s | failed",
      "bare | 0123456789ab | yes | no | - | - | - | - | passed",
      'chat: smoke: chat-0: "2": got 1',
    ]);
  });

  it("says that there is nothing", () => {
    expect(formatTable({ environment: "dev", deployments: {} })).toBe("stack dev: no deployments");
  });
});
