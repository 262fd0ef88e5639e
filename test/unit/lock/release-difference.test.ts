import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { sha256 } from "../../../src/lib/canonical.js";
import { buildLock } from "../../../src/lock/build.js";
import { compareLocks } from "../../../src/lock/release-difference.js";
import type { LockedDeployment, LockFile, PlacedHost, PlacedInstance } from "../../../src/schema/lock.js";
import { bundleOf, readyOf } from "../support/bundles.js";
import { catalogueOf } from "../support/catalogues.js";
import { fakeEdges } from "../support/edges.js";
import { chat, stackOf } from "../support/problems.js";

const stack = stackOf({ chat: chat() });
const problem = {
  owner: "shop/dev",
  stack,
  written: stack,
  catalogue: catalogueOf(),
  previous: undefined,
  resolved: {},
};
const { lock } = await buildLock(problem, fakeEdges());

const withRelease = (release: LockFile["release"]): LockFile => ({ ...lock, release });
const of = (changes: Partial<LockedDeployment>): LockFile => withRelease({ chat: bundleOf("1", changes) });
/** What differs in a release, beside the bundle's id, as `path: left -> right`. */
const release = (left: LockFile, right: LockFile) => texts(compareLocks(left, right).release);
const environment = (left: LockFile, right: LockFile) => texts(compareLocks(left, right).environment);

function texts(differences: ReturnType<typeof compareLocks>["release"]): string[] {
  return differences
    .filter(({ path }) => !path.endsWith(".bundle"))
    .map(({ path, left = "-", right = "-" }) => `${path}: ${left} -> ${right}`);
}

function placed(host: Partial<PlacedHost>, instance: Partial<PlacedInstance> = {}): LockFile {
  const { hosts, instances } = lock.placement;
  const [local, first] = [hosts.local, instances["chat-0"]];
  if (local === undefined || first === undefined) throw new Error("the sample has a host and an instance");
  const changed = { hosts: { local: { ...local, ...host } }, instances: { "chat-0": { ...first, ...instance } } };
  return { ...lock, placement: { ...lock.placement, ...changed } };
}

function filesOf(...contents: string[]): LockedDeployment["model"] {
  const files = contents.map((content, index) => ({
    path: `model-${index}.safetensors`,
    sizeBytes: 5_000_000_000,
    sha256: sha256(content),
  }));
  const from = { source: "huggingface" as const, repo: "acme/tiny", revision: "main", commit: "c".repeat(40), files };
  return { from, file: ".", sha256: sha256(contents.join()) };
}

describe("compareLocks, of the release", () => {
  it("names the bundles by the beginnings of their ids", () => {
    const { release: found } = compareLocks(withRelease({ chat: bundleOf("1") }), withRelease({ chat: bundleOf("2") }));
    expect(found).toEqual([
      { path: "chat.bundle", left: bundleOf("1").id.slice(0, 12), right: bundleOf("2").id.slice(0, 12) },
      { path: "chat.backendVersion", left: "1", right: "2" },
    ]);
  });

  it("tells of a deployment that one side has in one line", () => {
    const both = withRelease({ chat: bundleOf("1"), code: bundleOf("2") });
    const line = `engine 2, /srv/m.gguf ${sha256("m").slice(0, 12)}`;
    expect(release(withRelease({ chat: bundleOf("1") }), both)).toEqual([`code: - -> ${line}`]);
    expect(release(both, withRelease({ chat: bundleOf("1") }))).toEqual([`code: ${line} -> -`]);
  });

  it.each<[string, Partial<LockedDeployment>, Partial<LockedDeployment>, string[]]>([
    [
      "parameters as words",
      { parameters: ["--ctx-size", "8192", "--mlock"] },
      { parameters: ["--ctx-size", "4096", "--mlock"] },
      ["chat.parameters: --ctx-size 8192 -> --ctx-size 4096"],
    ],
    ["parameters that are more", { parameters: [] }, { parameters: ["--mlock"] }, ["chat.parameters: - -> --mlock"]],
    [
      "commands as words",
      { runCommand: "serve --port {{port}} --fast" },
      { runCommand: "serve --port {{port}}" },
      ["chat.runCommand: --fast -> -"],
    ],
    ["a command that is not there", {}, { entrypoint: "/bin/sh -c" }, ["chat.entrypoint: - -> /bin/sh -c"]],
    [
      "variables one by one",
      { env: { A: "1", B: "2" } },
      { env: { A: "1", B: "3", C: "" } },
      ["chat.env.B: 2 -> 3", 'chat.env.C: - -> ""'],
    ],
    [
      "sizes with their units",
      { container: { shmBytes: 1_000_000_000 } },
      { container: { shmBytes: 8_000_000_000 } },
      ["chat.container.shmBytes: 1.0 GB -> 8.0 GB"],
    ],
    ["what one side lacks, field by field", {}, { container: { cpus: 2 } }, ["chat.container.cpus: - -> 2"]],
    [
      "another way to install in one line",
      {},
      { install: { method: "image", reference: "ghcr.io/a/b:1", digest: `sha256:${"d".repeat(64)}` } },
      ["chat.install: manual -> image ghcr.io/a/b:1"],
    ],
    [
      "digests by their beginnings",
      { install: { method: "image", reference: "ghcr.io/a/b:1", digest: `sha256:${"c".repeat(64)}` } },
      { install: { method: "image", reference: "ghcr.io/a/b:1", digest: `sha256:${"d".repeat(64)}` } },
      [`chat.install.digest: sha256:${"c".repeat(12)} -> sha256:${"d".repeat(12)}`],
    ],
    [
      "another source of the model in one line",
      {},
      { model: filesOf("a") },
      [`chat.model: /srv/m.gguf ${sha256("m").slice(0, 12)} -> acme/tiny@cccccccccccc`],
    ],
    [
      "a few files by name",
      { model: filesOf("a", "b", "c", "d") },
      { model: filesOf("a", "x", "c") },
      [
        `chat.model.from.files.model-1.safetensors.sha256: ${sha256("b").slice(0, 12)} -> ${sha256("x").slice(0, 12)}`,
        "chat.model.from.files.model-3.safetensors: there -> -",
        `chat.model.sha256: ${sha256("a,b,c,d").slice(0, 12)} -> ${sha256("a,x,c").slice(0, 12)}`,
      ],
    ],
    [
      "many files by their number",
      { model: filesOf("a", "b", "c", "d", "e") },
      { model: filesOf("a", "2", "3", "4", "5", "6") },
      [
        "chat.model.from.files: 5 files -> 6 files, 1 of them the same",
        `chat.model.sha256: ${sha256("a,b,c,d,e").slice(0, 12)} -> ${sha256("a,2,3,4,5,6").slice(0, 12)}`,
      ],
    ],
  ])("tells %s", (_, left, right, expected) => {
    expect(release(of(left), of(right))).toEqual(expected);
  });

  it("tells that texts differ which look alike once they are shortened", () => {
    const long = (middle: string) => `/${"a".repeat(80)}${middle}${"b".repeat(80)}`;
    const [found = ""] = release(of({ healthPath: long("1") }), of({ healthPath: long("2") }));
    expect(found).toMatch(/^chat\.healthPath: \/a+\.\.\.b+ -> \/a+\.\.\.b+, another$/);
    expect(found.length).toBeLessThan(300);
  });

  it("tells of a runner image which it is, and not where it runs, unless that alone differs", () => {
    const runner = (acceleratorVersion: string, comparable = true) => ({
      install: {
        method: "image" as const,
        reference: `gpustack/runner:cuda${acceleratorVersion}-engine1.0`,
        digest: `sha256:${sha256(acceleratorVersion)}`,
        runnerImage: {
          ...{ acceleratorType: "cuda", acceleratorVersion, service: "engine", serviceVersion: "1.0" },
          ...{ platforms: ["linux/amd64"], comparable },
        },
      },
    });
    const paths = (found: readonly string[]) => found.map((text) => text.split(":", 1)[0]);
    expect(paths(release(of(runner("12.6")), of(runner("12.8"))))).toEqual([
      "chat.install.digest",
      "chat.install.reference",
    ]);
    expect(paths(release(of(runner("12.6")), of(runner("12.6", false))))).toEqual([
      "chat.install.runnerImage.comparable",
    ]);
  });

  it("tells of what lies ready, in parts that are there on both sides", () => {
    const ready = (preload: LockFile["preload"]): LockFile => ({
      ...lock,
      ...(preload === undefined ? {} : { preload }),
    });
    const model = filesOf("a");
    expect(release(ready(undefined), ready({ next: readyOf("2") }))).toEqual(["preload.next: - -> engine 2"]);
    expect(release(ready({ next: readyOf("1") }), ready({ next: { ...readyOf("2"), model } }))).toEqual([
      "preload.next.engine.backendVersion: 1 -> 2",
      "preload.next.model: - -> acme/tiny@cccccccccccc",
    ]);
  });
});

describe("compareLocks, of the environment", () => {
  it("leaves out what others use of the hosts, and the stacks' own digests", () => {
    const busy = { listeningPorts: [22, 80], claims: [{ port: 80, owner: "a/b", instance: "c-0" }] };
    const other = {
      ...placed({ usage: busy }),
      id: sha256("other"),
      inputs: { stack: sha256("a"), backends: sha256("b") },
    };
    expect(compareLocks(lock, other)).toEqual({ release: [], environment: [] });
  });

  it("tells of hosts and instances that one side has in one line each", () => {
    const { hosts, instances } = lock.placement;
    const renamed = { ...lock.placement, hosts: { gpu1: hosts.local }, instances: { "code-0": instances["chat-0"] } };
    expect(environment(lock, { ...lock, placement: renamed as LockFile["placement"] })).toEqual([
      "hosts.gpu1: - -> local, linux/x64, no accelerators",
      "hosts.local: local, linux/x64, no accelerators -> -",
      "instances.chat-0: local, port 14000 -> -",
      "instances.code-0: - -> local, port 14000",
    ]);
  });

  const card = (uuid: string, driverVersion = "550") => ({
    ...{ type: "cuda" as const, name: "NVIDIA H100", index: 0, memoryBytes: 80e9 },
    ...{ uuid, driverVersion },
  });
  const facts = placed({}).placement.hosts.local?.facts;
  if (facts === undefined) throw new Error("the sample has a host");
  const takes = (takenBytes: number): PlacedInstance["memory"] => ({
    ...{ option: "tp1", basis: "estimate", hostBytes: 2 ** 30 },
    devices: [{ device: "GPU-1", weightsBytes: 0, cacheBytes: 0, otherBytes: 0, takenBytes }],
  });

  it.each<[string, LockFile, LockFile, string[]]>([
    [
      "labels",
      placed({ labels: { zone: "a" } }),
      placed({ labels: { zone: "b" } }),
      ["hosts.local.labels.zone: a -> b"],
    ],
    [
      "accelerators by kind and number",
      placed({ facts: { ...facts, accelerators: [card("GPU-1"), card("GPU-2")] } }),
      placed({ facts: { ...facts, accelerators: [card("GPU-3", "560")] } }),
      ["hosts.local.facts.accelerators: 2 NVIDIA H100 (driver 550) -> 1 NVIDIA H100 (driver 560)"],
    ],
    [
      "no other identities of the same accelerators",
      placed({ facts: { ...facts, accelerators: [card("GPU-1")] } }),
      placed({ facts: { ...facts, accelerators: [card("GPU-2")] } }),
      [],
    ],
    [
      "memory in one line",
      placed({}, { memory: takes(2 ** 34) }),
      placed({}, { memory: takes(2 ** 35) }),
      [
        "instances.chat-0.memory: tp1: 16.0 GiB of devices, 1.0 GiB of the host -> tp1: 32.0 GiB of devices, 1.0 GiB of the host",
      ],
    ],
    [
      "devices, the first of many",
      placed({}, { devices: [] }),
      placed({}, { devices: ["GPU-1", "GPU-2", "GPU-3", "GPU-4", "GPU-5", "GPU-6", "GPU-7"] }),
      ["instances.chat-0.devices: none -> GPU-1, GPU-2, GPU-3, GPU-4, GPU-5, 2 more"],
    ],
    [
      "times",
      placed({}, { stopSeconds: 10 }),
      placed({}, { stopSeconds: 20 }),
      ["instances.chat-0.stopSeconds: 10 s -> 20 s"],
    ],
    [
      "the order of hosts",
      lock,
      {
        ...lock,
        placement: { ...lock.placement, rollout: { waves: [["a"], ["b", "c"]], pauseSeconds: 60, maxFailures: 0 } },
      },
      ["rollout.maxFailures: - -> 0", "rollout.pauseSeconds: - -> 60 s", "rollout.waves: - -> [a], [b, c]"],
    ],
    [
      "names of secrets",
      placed({}, { secretEnv: { BERTH_API_KEY: "chat-key" } }),
      placed({}, { secretEnv: { BERTH_API_KEY: "prod-key" } }),
      ["instances.chat-0.secretEnv.BERTH_API_KEY: chat-key -> prod-key"],
    ],
  ])("tells %s", (_, left, right, expected) => {
    expect(environment(left, right)).toEqual(expected);
  });
});

describe("compareLocks, of what likely is a secret", () => {
  const canary = "sk-canary0123456789abcdef";
  it.each<[string, Partial<LockedDeployment>]>([
    ["a variable by its name", { env: { MY_API_KEY: "canary of a few words" } }],
    ["a variable by its look", { env: { A: canary } }],
    ["a parameter", { parameters: ["--api-key", "canary"] }],
    ["a parameter's value", { parameters: ["--api-key=canary"] }],
    ["a command", { runCommand: "serve --api-key canary --port 1" }],
    ["a command that one side has", { entrypoint: `env TOKEN=${canary} sh` }],
    [
      "the query of an address",
      { model: { ...bundleOf("1").model, from: { source: "url", url: "https://a.example/m?sig=canary" } } },
    ],
  ])("never shows %s, and tells that it differs", (_, changes) => {
    const other = JSON.parse(JSON.stringify(changes).replaceAll("canary", "canary9")) as Partial<LockedDeployment>;
    for (const pair of [
      [of({}), of(changes)],
      [of(changes), of(other)],
    ] as const) {
      const found = release(...pair);
      expect(found.length).toBeGreaterThan(0);
      expect(found.join("\n")).not.toContain("canary");
    }
  });
});

describe("compareLocks, of any two", () => {
  const words = fc.array(fc.constantFrom("--a", "1", "b c"), { maxLength: 4 });
  const bundle = fc
    .record({
      parameters: words,
      env: fc.dictionary(fc.constantFrom("A", "B"), fc.string(), { noNullPrototype: true }),
      runCommand: fc.constantFrom("serve", "serve --x", "serve --x  --y"),
      contents: fc.option(fc.array(fc.constantFrom("a", "b"), { minLength: 1, maxLength: 6 }), { nil: undefined }),
    })
    .map(({ contents, ...changes }) =>
      bundleOf("1", { ...changes, ...(contents === undefined ? {} : { model: filesOf(...contents) }) }),
    );
  const any = fc.dictionary(fc.constantFrom("chat", "code"), bundle, { noNullPrototype: true }).map(withRelease);

  it("tells nothing exactly where they are equal, and the same the other way round", () => {
    fc.assert(
      fc.property(any, any, (left, right) => {
        const { release: found } = compareLocks(left, right);
        expect(found.length === 0).toBe(
          JSON.stringify(left.release) === JSON.stringify(right.release) || isSame(left, right),
        );
        expect(found.map(({ path }) => path)).toEqual(compareLocks(right, left).release.map(({ path }) => path));
        for (const { left: one, right: other } of found) expect(one).not.toBe(other);
        expect(compareLocks(left, left)).toEqual({ release: [], environment: [] });
      }),
    );
  });

  /** By id: a bundle's id is the digest of the rest. */
  function isSame(left: LockFile, right: LockFile): boolean {
    const ids = ({ release: bundles }: LockFile) =>
      Object.entries(bundles)
        .map(([name, { id }]) => `${name} ${id}`)
        .sort()
        .join();
    return ids(left) === ids(right);
  }
});
