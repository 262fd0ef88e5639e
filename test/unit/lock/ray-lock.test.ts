import { join } from "node:path";
import { describe, expect, it } from "vitest";

import { sha256 } from "../../../src/lib/canonical.js";
import { findApplied } from "../../../src/lock/applied.js";
import { buildLock } from "../../../src/lock/build.js";
import { readCatalogue } from "../../../src/lock/project.js";
import { desiredStack } from "../../../src/planner/desired.js";
import type { LockFile } from "../../../src/schema/lock.js";
import { fakeEdges } from "../support/edges.js";
import { gpu } from "../support/gpus.js";
import { hubModel } from "../support/memory-models.js";
import { chat, knownHost, stackOf } from "../support/problems.js";
import { owner, recordedResources } from "../support/recorded-state.js";
import { repository } from "../support/repository.js";
import { rejectionOf } from "../support/thrown.js";

const gib = 2 ** 30;
const catalogue = readCatalogue(repository, repository);
const goldens = join(repository, "test", "fixtures", "ray-2x8");

interface Setting {
  readonly chat?: Parameters<typeof chat>[0];
  readonly model?: string;
  readonly previous?: LockFile;
  readonly addresses?: Readonly<Record<string, string>>;
}

/** Two hosts with eight cards of 80 GiB each, and a model whose weights have 756 GiB. */
async function solve({ chat: fields, model = "Llama-3.1-405B", previous, addresses = {} }: Setting = {}) {
  const facts = (host: number) => ({
    accelerators: Array.from({ length: 8 }, (_, index) => gpu(index, { uuid: `GPU-${host}${index}` })),
    ramBytes: 1024 * gib,
  });
  const edges = {
    ...fakeEdges(),
    knowHost: (name: string) => Promise.resolve(knownHost("/srv/berth", { facts: facts(Number(name.slice(4))) })),
    readMemory: () => Promise.resolve(hubModel(model)),
  };
  const hosts = Object.fromEntries(
    ["gpu-1", "gpu-2"].map((name, index) => {
      const privateAddress = addresses[name] ?? `10.0.0.${index + 1}`;
      const ssh = { address: `${name}.example`, user: "berth" };
      return [name, { connection: "ssh" as const, ssh, dataDir: "/srv/berth", privateAddress }];
    }),
  );
  const deployment = chat({
    backend: "vllm",
    backendVersion: "0.30.0",
    placement: { distributed: true },
    model: { source: "file", path: "/srv/models/llama-405b", sha256: sha256("llama") },
    ...fields,
  });
  const stack = stackOf({ chat: deployment }, { hosts });
  const problem = { owner: "shop/dev", stack, written: stack, previous, resolved: {}, catalogue };
  return buildLock(problem, edges);
}

describe("vLLM over two hosts with eight accelerators each", () => {
  it("is this, to the byte: its place, its arguments and environment, and its cluster's nodes", async () => {
    const { lock } = await solve();
    const { instances, subordinates } = desiredStack(lock, "/project");
    const [engine] = instances;
    const lines = (words: readonly string[] = []) => `${words.join("\n")}\n`;
    const variables = (env: Readonly<Record<string, string>> = {}) =>
      lines(Object.entries(env).map(([name, value]) => `${name}=${value}`));
    const json = (value: unknown) => `${JSON.stringify(value, undefined, 2)}\n`;
    const files = {
      "placement.json": json(lock.placement.instances["chat-0"]),
      "engine.argv.txt": lines(engine?.argv),
      "engine.env.txt": variables({ ...engine?.env, ...engine?.release.env }),
      ...Object.fromEntries(
        subordinates.flatMap(({ ray, env, name, address, backendVersion, model, executable }) => [
          [`${ray?.role}.json`, json({ name, address, executable, backendVersion, model, ray })],
          [`${ray?.role}.env.txt`, variables(env)],
        ]),
      ),
    };
    expect(Object.keys(files)).toHaveLength(7);
    for (const [name, text] of Object.entries(files)) await expect(text).toMatchFileSnapshot(join(goldens, name));
  });

  it("needs its backend version and its model on both, the member's under the name that it waits for", async () => {
    const { lock } = await solve();
    const { models, backendVersions, subordinates } = desiredStack(lock, "/project");
    expect(backendVersions.map(({ host }) => host.name)).toEqual(["gpu-1", "gpu-2"]);
    expect(models.map(({ host }) => host.name)).toEqual(["gpu-1", "gpu-2"]);
    expect(subordinates.map(({ model }) => model)).toEqual([undefined, models[1]?.name]);
  });

  it("is not applied while one of them lacks the backend version or the model", async () => {
    const { lock } = await solve();
    const desired = desiredStack(lock, "/project");
    const whole = recordedResources(desired);
    const reasonsWithout = (name = "") => {
      const resources = whole.filter(({ outputs }) => outputs.name !== name);
      const state = { resources, pendingOperations: 0, updater: { kind: "none" } } as const;
      return JSON.stringify(findApplied({ deployments: ["chat"], desired, state, owner }));
    };
    const member = [desired.backendVersions[1]?.name, desired.models[1]?.name];
    expect(member.map((name) => name?.startsWith("gpu-2."))).toEqual([true, true]);
    for (const name of member) {
      expect(reasonsWithout(name)).toContain(`${name} is not in the state`);
      expect(reasonsWithout()).not.toContain(name);
    }
  });

  it("is solved to the same lock again", async () => {
    const { lock } = await solve();
    expect((await solve({ previous: lock })).lock).toEqual(lock);
  });

  it("has one host where that is enough, and is told nothing of Ray there", async () => {
    const { lock } = await solve({ model: "Llama-3.1-70B" });
    const placed = lock.placement.instances["chat-0"];
    expect(placed).not.toHaveProperty("subordinates");
    expect(placed?.arguments).not.toContain("--distributed-executor-backend");
    expect(desiredStack(lock, "/project").instances[0]?.env).not.toHaveProperty("RAY_ADDRESS");
  });

  it("is not split in a version that reads identities of devices as numbers", async () => {
    const { lock } = await solve({ model: "Llama-3.1-70B", chat: { backendVersion: "0.17.1", install: "pipx" } });
    expect(lock.release.chat).not.toHaveProperty("distributed");
    const error = await rejectionOf(solve({ chat: { backendVersion: "0.17.1", install: "pipx" } }));
    expect(error.message).toContain("deployment chat is not split over hosts: its backend version cannot be");
  });

  it("is refused where a name stands for an address, which Ray and vLLM would take for two", async () => {
    const error = await rejectionOf(solve({ addresses: { "gpu-2": "gpu-2.internal" } }));
    expect(error.message).toContain("with an IPv4 address as `privateAddress` of host gpu-2");
  });

  it("is refused where the deployment names another cluster, or another way to have several devices", async () => {
    const cluster = await rejectionOf(solve({ chat: { env: { RAY_ADDRESS: "10.0.0.9:6379" } } }));
    expect(cluster.parts).toMatchObject({ where: "deployment chat", got: "RAY_ADDRESS" });
    const way = await rejectionOf(solve({ chat: { extraParameters: ["--distributed-executor-backend", "mp"] } }));
    expect(way.parts).toMatchObject({
      where: "deployment chat",
      got: "--distributed-executor-backend mp",
      expected: "--distributed-executor-backend ray, or none",
    });
  });

  it("is told what its parameters say once", async () => {
    const parameters = ["--pipeline-parallel-size", "2", "--distributed-executor-backend", "ray"];
    const { lock } = await solve({ chat: { extraParameters: parameters } });
    const argv = desiredStack(lock, "/project").instances[0]?.argv ?? [];
    const flags = argv.filter((word) => word.startsWith("--"));
    expect(flags.filter((flag) => flag === "--pipeline-parallel-size")).toHaveLength(1);
    expect(flags.filter((flag) => flag === "--distributed-executor-backend")).toHaveLength(1);
    expect(argv[argv.indexOf("--tensor-parallel-size") + 1]).toBe("8");
  });
});
