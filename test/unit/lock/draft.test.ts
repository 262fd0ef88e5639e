import { describe, expect, it } from "vitest";

import { sha256 } from "../../../src/lib/canonical.js";
import { buildLock } from "../../../src/lock/build.js";
import type { MemoryRequest } from "../../../src/lock/draft.js";
import type { KnownHost } from "../../../src/planner/host-choice.js";
import { engineBackend, catalogueOf } from "../support/catalogues.js";
import { fakeEdges } from "../support/edges.js";
import { gpuHost } from "../support/gpus.js";
import { ggufModel, hubModel } from "../support/memory-models.js";
import { chat, knownHost, stackOf } from "../support/problems.js";
import type { WrittenStack } from "../support/stacks.js";

const gguf = await ggufModel();
const local = (dataDir: string) => ({ connection: "local", dataDir }) as const;
const far = (dataDir: string) => ({ connection: "ssh", dataDir }) as const;

interface Setting {
  readonly hosts: Readonly<Record<string, KnownHost>>;
  readonly connections?: NonNullable<WrittenStack["hosts"]>;
  readonly engine?: "vllm" | "llama-cpp";
  readonly chat?: Parameters<typeof chat>[0];
}

/** A lock of one deployment, `chat`, of a backend whose memory is known as that of an engine. */
async function solve({ hosts, connections, engine, chat: fields }: Setting) {
  const asked: MemoryRequest[] = [];
  const edges = {
    ...fakeEdges(),
    knowHost: (name: string) => Promise.resolve({ ...knownHost(`/${name}`), ...hosts[name], dataDir: `/${name}` }),
    readMemory: (request: MemoryRequest) => {
      asked.push(request);
      return Promise.resolve(engine === "vllm" ? hubModel("Qwen2.5-7B") : gguf);
    },
  };
  const named = Object.keys(hosts).map((name) => [name, local(`/${name}`)] as const);
  const stack = stackOf({ chat: chat(fields) }, { hosts: connections ?? Object.fromEntries(named) });
  const flags = { tensorParallelSize: ["--tensor-parallel-size"] };
  const pipx = { package: "engine", requirements: "engine/2.0.txt", launcher: "engine/launcher.py" };
  const backend = engineBackend({
    flags,
    versions: { "2.0": { install: { pipx: { ...pipx, acceleratorTypes: ["cuda", "cpu"] } } } },
    ...(engine && { memory: { engine, exact: ">=2.0" } }),
  });
  const problem = { owner: "shop/dev", stack, written: stack, previous: undefined, resolved: {} };
  const { lock, reasons } = await buildLock({ ...problem, catalogue: catalogueOf([backend]) }, edges);
  return { lock, reasons, asked };
}

describe("a deployment on accelerators", () => {
  it("has its devices, what it takes of them and what its engine is told in the lock's placement alone", async () => {
    const { lock, reasons } = await solve({ hosts: { box: gpuHost(2) }, engine: "vllm" });
    expect(lock.placement.instances["chat-0"]).toMatchObject({
      devices: ["GPU-0"],
      memory: { option: "tp1", basis: "estimate", devices: [{ device: "GPU-0" }] },
      arguments: ["--gpu-memory-utilization", "0.9", "--kv-cache-memory-bytes", expect.stringMatching(/^\d{10,11}$/)],
    });
    expect(JSON.stringify(lock.release)).not.toMatch(/GPU-0|utilization/);
    expect(reasons).toContainEqual(
      expect.stringMatching(/^chat: box: 1 device 72\.0 GiB: weights 14\.2 GiB, cache 5\d\.\d GiB, other \d+\.\d MiB$/),
    );
  });

  it("has its devices alone where its engine's memory is not known, or its parameters are not foreseen, and says so", async () => {
    const unknown = await solve({ hosts: { box: gpuHost(2) } });
    expect(unknown.lock.placement.instances["chat-0"]).toMatchObject({
      devices: ["GPU-0"],
      memory: { basis: "whole" },
    });
    expect(unknown.reasons).toContain("chat: its devices are its own alone: how engine makes its memory is not known");
    expect(unknown.asked).toEqual([]);
    const odd = {
      hosts: { box: gpuHost(2) },
      engine: "vllm",
      chat: { parameters: ["--cpu-offload-gb", "4"] },
    } satisfies Setting;
    expect((await solve(odd)).reasons).toContain(
      "chat: its devices are its own alone: what --cpu-offload-gb does to the memory is not worked out",
    );
  });

  it("takes what the stack states, and reads nothing", async () => {
    const stated = { resources: { vramBytes: 2 ** 30 } };
    const { lock, asked } = await solve({ hosts: { box: gpuHost(2) }, engine: "vllm", chat: stated });
    expect(lock.placement.instances["chat-0"]?.memory).toMatchObject({ basis: "stated" });
    expect(asked).toEqual([]);
  });

  it("runs on hosts of one kind, those with accelerators before others", async () => {
    const { lock } = await solve({ hosts: { a: knownHost("/a"), b: gpuHost(2) }, engine: "vllm" });
    expect(lock.placement.instances["chat-0"]?.host).toBe("b");
  });
});

describe("a deployment without accelerators", () => {
  it("has an estimate of llama-server's memory, and no other is read", async () => {
    const cpu = { hosts: { box: knownHost("/box") } };
    const known = await solve({ ...cpu, engine: "llama-cpp" });
    expect(known.lock.placement.instances["chat-0"]).toMatchObject({ devices: [], memory: { basis: "estimate" } });
    expect(known.asked).toMatchObject([{ isLocal: true, where: "deployment chat" }]);
    const other = await solve({ ...cpu, engine: "vllm" });
    expect(other.asked).toEqual([]);
    expect(other.lock.placement.instances["chat-0"]).not.toHaveProperty("memory");
  });

  it("is refused by a host with too little memory, before anything is started", async () => {
    const small = knownHost("/box", { facts: { ramBytes: 2 ** 30 } });
    await expect(solve({ hosts: { box: small }, engine: "llama-cpp" })).rejects.toMatchObject({
      code: "does-not-fit",
      parts: { where: "deployment chat", got: "host box has 1.0 GiB of RAM" },
    });
  });

  it("is not taken for a file of this machine on another", async () => {
    const { asked } = await solve({
      hosts: { box: knownHost("/box") },
      connections: { box: far("/box") },
      engine: "llama-cpp",
    });
    expect(asked).toMatchObject([{ isLocal: false, model: { sha256: sha256("m") } }]);
  });
});
