import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { describe, expect, it } from "vitest";

import { currentLock } from "../../../src/lock/current.js";
import { findEdits } from "../../../src/lock/integrity.js";
import { formatLock, writeLock } from "../../../src/lock/lock-file.js";
import { readProject } from "../../../src/lock/project.js";
import type { LockFile } from "../../../src/schema/lock.js";
import { fakeEdges } from "../support/edges.js";
import { repository } from "../support/repository.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { rejectionOf, thrownBy } from "../support/thrown.js";

const sha256 = "a".repeat(64);
const engine = `schemaVersion: 1
name: own
defaultVersion: "1"
healthPath: /health
contextLengthFlag: --ctx
runCommand: serve --port {{port}}
versions:
  "1": { install: { manual: {} } }
  "2": { install: { manual: {} } }
`;
const staging = `schemaVersion: 1
hosts: { one: { connection: local, dataDir: /srv/one } }
hostDefaults: { labels: { pool: a, row: b } }
deployments:
  chat:
    backend: own
    backendVersion: "1"
    model: { source: file, path: /m.gguf, sha256: ${sha256} }
    contextLength: 4096
    env: { LEVEL: "1" }
    replicas: 1
    update: { minHealthyTime: 5s }
`;
const prod = `schemaVersion: 1
extends: staging.yaml
hosts: { "p-[1-2]": { connection: local, labels: { mine: x } } }
hostDefaults: { labels: { row: null, rack: c } }
deployments:
  chat: { host: p-2, port: 9000 }
`;
const environments = `schemaVersion: 1
order: [staging, prod]
`;

async function projectOf(changes: Record<string, string> = {}): Promise<string> {
  const root = await temporaryFolder();
  const files = {
    "backends/own.yaml": engine,
    "stacks/staging.yaml": staging,
    "stacks/prod.yaml": prod,
    "stacks/environments.yaml": environments,
    ...changes,
  };
  for (const [file, text] of Object.entries(files)) await put(root, file, text);
  return root;
}

async function put(root: string, file: string, text: string): Promise<void> {
  await mkdir(dirname(join(root, file)), { recursive: true });
  await writeFile(join(root, file), text);
}

const solve = async (root: string, stack: string, options: { frozen?: boolean; anew?: boolean } = {}) =>
  currentLock(readProject(root, `stacks/${stack}.yaml`, repository), fakeEdges(), {
    owner: `shop/${stack}`,
    frozen: false,
    write: true,
    ...options,
  });

/** Both environments, with what staging has promoted to production as `berth promote` does. */
async function promoted(): Promise<{ root: string; source: LockFile; target: LockFile }> {
  const root = await projectOf();
  const { lock: source } = await solve(root, "staging");
  const project = readProject(root, "stacks/prod.yaml", repository, { promoted: { release: source.release } });
  const options = { owner: "shop/prod", frozen: false, write: true };
  const { lock: target } = await currentLock(project, fakeEdges(), options);
  return { root, source, target };
}

describe("a stack file that extends another", () => {
  it("says something over it, and has its own hosts", async () => {
    const { root } = await promoted();
    const { stack } = readProject(root, "stacks/prod.yaml", repository);
    expect(Object.keys(stack.hosts)).toEqual(["p-1", "p-2"]);
    expect(stack.hosts["p-1"]?.labels).toEqual({ pool: "a", rack: "c", mine: "x" });
    expect(stack.deployments.chat).toMatchObject({
      host: "p-2",
      port: 9000,
      replicas: 1,
      update: { minHealthyTime: 5 },
    });
  });

  it("is told of a mistake in the file that has it, with its line", async () => {
    const root = await projectOf({
      "stacks/environments.yaml": "schemaVersion: 1\norder: [staging]\n",
      "stacks/staging.yaml": staging.replace("replicas: 1", "replicas: many"),
      "stacks/prod.yaml": prod.replace("port: 9000", "port: none"),
    });
    const { message } = thrownBy(() => readProject(root, "stacks/prod.yaml", repository));
    expect(message).toContain('stacks/staging.yaml:11:15: "deployments.chat.replicas"');
    expect(message).toContain('stacks/prod.yaml:6:28: "deployments.chat.port"');
  });

  it.each([
    ["itself", { "stacks/prod.yaml": prod.replace("staging.yaml", "prod.yaml") }, "extend each other"],
    [
      "one that extends it",
      { "stacks/staging.yaml": `extends: prod.yaml\n${staging}` },
      "prod.yaml -> stacks/staging.yaml",
    ],
    ["one that is not there", { "stacks/prod.yaml": prod.replace("staging.yaml", "base.yaml") }, "stacks/base.yaml"],
    [
      "one elsewhere",
      { "stacks/prod.yaml": prod.replace("staging.yaml", "../x.yaml") },
      "expected the name of a stack file",
    ],
  ])("is refused when it is %s", async (_, changes, told) => {
    const root = await projectOf(changes);
    expect(thrownBy(() => readProject(root, "stacks/prod.yaml", repository)).message).toContain(told);
  });
});

describe("an environment with one before it", () => {
  it("has the releases that were promoted, and places them on its own hosts", async () => {
    const { source, target } = await promoted();
    expect(target.release).toEqual(source.release);
    expect(target.placement.instances["chat-0"]).toMatchObject({ host: "p-2", port: 9000 });
    expect(Object.keys(target.placement.hosts)).toEqual(["p-1", "p-2"]);
  });

  it("keeps its lock when versions, models and arguments of the one before change, and deployments come there", async () => {
    const { root, target } = await promoted();
    const other = staging
      .replace('backendVersion: "1"', 'backendVersion: "2"')
      .replace("4096", "8192")
      .replace("/m.gguf", "/n.gguf");
    const more = `${other}  more: { backend: own, model: { source: file, path: /m, sha256: ${sha256} } }\n`;
    await put(root, "stacks/staging.yaml", more);
    await put(root, "backends/own.yaml", engine.replace('defaultVersion: "1"', 'defaultVersion: "2"'));
    const { lock, outcome } = await solve(root, "prod", { frozen: true });
    expect(outcome.kind).toBe("kept");
    expect(lock).toEqual(target);
    expect((await solve(root, "prod", { anew: true })).lock).toEqual(target);
  });

  it("is stale when a field of its own changes, also one that it inherits", async () => {
    const { root, source } = await promoted();
    await put(root, "stacks/staging.yaml", staging.replace("5s", "6s"));
    const error = await rejectionOf(solve(root, "prod", { frozen: true }));
    expect([error.code, error.message]).toEqual(["lock-stale", expect.stringContaining("the stack file was changed")]);
    const { lock } = await solve(root, "prod");
    expect(lock.release).toEqual(source.release);
    expect(lock.placement.instances["chat-0"]?.minHealthySeconds).toBe(6);
  });

  it("has other releases, and the same environment, after the next promotion, and after its taking back the same lock", async () => {
    const { root, target } = await promoted();
    const promote = async (release: LockFile["release"]) => {
      const project = readProject(root, "stacks/prod.yaml", repository, { promoted: { release } });
      const options = { owner: "shop/prod", frozen: false, write: false, anew: true };
      const current = await currentLock(project, fakeEdges(), options);
      await writeLock(join(root, "stacks/prod.lock.yaml"), current.lock);
      return current;
    };
    await put(root, "stacks/staging.yaml", staging.replace("4096", "8192").replace('LEVEL: "1"', 'LEVEL: "2"'));
    const { lock: next } = await solve(root, "staging");
    const { lock: second } = await promote(next.release);
    expect(second.release).toEqual(next.release);
    expect(second.release).not.toEqual(target.release);
    expect(second.placement).toEqual(target.placement);
    expect((await promote(next.release)).outcome).toMatchObject({ changed: false });
    expect((await promote(target.release)).lock).toEqual(target);
  });

  it("refuses a field of the release in its own file, with its place and where it belongs", async () => {
    const { root } = await promoted();
    await put(root, "stacks/prod.yaml", prod.replace("host: p-2", 'backendVersion: "2", env: {}, host: p-2'));
    const error = thrownBy(() => readProject(root, "stacks/prod.yaml", repository));
    expect([error.code, error.message]).toEqual([
      "file-invalid",
      [
        'stacks/prod.yaml:6:11: "deployments.chat.backendVersion" is of the release, which comes from staging by `berth promote`; expected fields of this environment',
        'stacks/prod.yaml:6:32: "deployments.chat.env" is of the release, which comes from staging by `berth promote`; expected fields of this environment',
      ].join("\n"),
    ]);
  });

  it("does not write over what was promoted while its lock was solved", async () => {
    const { root, target } = await promoted();
    await put(root, "stacks/staging.yaml", staging.replace("5s", "6s"));
    const project = readProject(root, "stacks/prod.yaml", repository);
    const meanwhile = `${formatLock(target)}# promoted meanwhile\n`;
    await put(root, "stacks/prod.lock.yaml", meanwhile);
    const options = { owner: "shop/prod", frozen: false, write: true, anew: true };
    const error = await rejectionOf(currentLock(project, fakeEdges(), options));
    expect(error.code).toBe("promotion-conflict");
    expect(await readFile(join(root, "stacks/prod.lock.yaml"), "utf8")).toBe(meanwhile);
  });

  it.each([
    ["a list", "deployments:\n  chat: { host: p-2, port: 9000 }", "deployments: [chat]"],
    ["a word", "deployments:\n  chat: { host: p-2, port: 9000 }", "deployments: chat"],
    ["a number in a deployment's place", "{ host: p-2, port: 9000 }", "3"],
  ])("refuses %s where a map has to be, and has not no deployments", async (_, from, to) => {
    const { root } = await promoted();
    await put(root, "stacks/prod.yaml", prod.replace(from, to));
    const error = thrownBy(() => readProject(root, "stacks/prod.yaml", repository));
    expect([error.code, error.message]).toEqual(["file-invalid", expect.stringContaining("stacks/prod.yaml:")]);
  });

  it("tells names of which nothing was promoted", async () => {
    const { root } = await promoted();
    await put(root, "stacks/prod.yaml", prod.replace("  chat:", "  chatt: { replicas: 2 }\n  chat:"));
    const { outcome } = await solve(root, "prod", { anew: true });
    expect(outcome).toMatchObject({ warnings: [expect.stringContaining("chatt: left out")] });
  });

  it("has no lock before anything was promoted to it", async () => {
    const error = await rejectionOf(solve(await projectOf(), "prod"));
    expect([error.code, error.message]).toEqual([
      "lock-missing",
      [
        "stacks/prod.lock.yaml: nothing was promoted to this environment yet",
        "  expected: the releases of staging",
        "  to do: run `berth promote staging prod`",
      ].join("\n"),
    ]);
  });

  it("takes no release from the stack file when its lock is gone", async () => {
    const { root } = await promoted();
    await rm(join(root, "stacks/prod.lock.yaml"));
    expect((await rejectionOf(solve(root, "prod", { anew: true }))).code).toBe("lock-missing");
  });
});

describe("a lock that somebody edited", () => {
  const edit = async (root: string, stack: string, from: string, to: string) => {
    const { lock } = await solve(root, stack);
    const text = formatLock(lock);
    expect(text).toContain(from);
    await put(root, `stacks/${stack}.lock.yaml`, text.replace(from, to));
  };

  it("is refused when it is frozen, with what differs", async () => {
    const { root } = await promoted();
    await edit(root, "staging", 'LEVEL: "1"', 'LEVEL: "2"');
    const error = await rejectionOf(solve(root, "staging", { frozen: true }));
    expect([error.code, error.message]).toEqual(["lock-edited", expect.stringContaining("release of deployment chat")]);
  });

  it("is refused where releases are promoted, frozen or not", async () => {
    const { root } = await promoted();
    await edit(root, "prod", "port: 9000", "port: 9001");
    const error = await rejectionOf(solve(root, "prod"));
    expect([error.code, error.message]).toEqual(["lock-edited", expect.stringContaining("placement")]);
  });

  it("is found by any change of what was decided, and by none of what was seen", async () => {
    const { target } = await promoted();
    expect(findEdits(target)).toEqual([]);
    const [host] = Object.values(target.placement.hosts);
    const hosts = { ...target.placement.hosts, "p-1": { ...host, usage: { listeningPorts: [1] } } } as never;
    expect(findEdits({ ...target, placement: { ...target.placement, hosts } })).toEqual([]);
    expect(findEdits({ ...target, release: {} })).toEqual(["placement, or which releases there are"]);
  });
});
