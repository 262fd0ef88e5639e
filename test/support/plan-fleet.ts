import type { Seen, SeenObject, SeenReplica } from "../../src/planner/report/seen.js";
import type { HostReport } from "../../src/schema/facts.js";
import { lockFile, type LockFile } from "../../src/schema/lock.js";
import type { HostStore } from "../../src/planner/report/stores.js";
import type { Measure } from "../../src/schema/measures.js";
import type { PlacedMemory } from "../../src/schema/placement.js";

const gib = 2 ** 30;
const hash = (digit: string) => digit.repeat(64);
const archiveHash = (digit: string) => `${digit.repeat(63)}0`;

interface Kind {
  readonly title: string;
  readonly type: "cuda" | "rocm";
  readonly bytes: number;
}

const h100: Kind = { title: "NVIDIA H100 80GB HBM3", type: "cuda", bytes: Math.round(79.6 * gib) };
const mi300x: Kind = { title: "AMD Instinct MI300X", type: "rocm", bytes: 192 * gib };

export const deviceOf = (host: string, index: number) => `${host}-gpu${index}`;

function hostReport(name: string, { title, type, bytes }: Kind): Extract<HostReport, { reachable: true }> {
  const accelerators = Array.from({ length: 8 }, (_, index) => ({
    ...{ type, name: title, index, uuid: deviceOf(name, index), memoryBytes: bytes, driverVersion: "570.1" },
  }));
  return {
    reachable: true,
    labels: {},
    facts: {
      ...{ os: "linux", distribution: "Debian 12", arch: "x64", cpus: 64, ramBytes: 1024 * gib, diskBytes: 4096 * gib },
      ...{ user: "berth", home: "/home/berth", initSystem: "systemd", accelerators },
    },
    usage: { listeningPorts: [22], accelerators: accelerators.map(({ uuid }) => ({ uuid, processes: [] })) },
    warnings: [],
  };
}

/** Memory of so many GiB on each device. */
export function memoryOf(devices: readonly string[], weights: number, cache: number, other: number): PlacedMemory {
  const each = { weightsBytes: weights * gib, cacheBytes: cache * gib, otherBytes: other * gib };
  const parts = {
    weightsBytes: Math.round(each.weightsBytes),
    cacheBytes: Math.round(each.cacheBytes),
    otherBytes: Math.round(each.otherBytes),
  };
  const takenBytes = parts.weightsBytes + parts.cacheBytes + parts.otherBytes;
  return {
    option: `tp${devices.length}`,
    basis: "estimate",
    devices: devices.map((device) => ({ device, ...parts, takenBytes })),
    hostBytes: 0,
  };
}

function release(backend: string, backendVersion: string, digit: string): LockFile["release"][string] {
  return {
    id: hash(digit),
    ...{ backend, backendVersion, runCommand: "serve {{model_path}} --port {{port}}", parameters: [], env: {} },
    install: {
      method: "binary",
      artifacts: [
        {
          os: "linux",
          arch: "x64",
          url: `https://files.example.net/${backend}`,
          sha256: archiveHash(digit),
          sizeBytes: 11_200_000_000,
          unpackedBytes: 20_000_000_000,
        },
      ],
    },
    model: {
      from: {
        ...{ source: "huggingface", repo: `acme/${backend}`, revision: "main", commit: digit.repeat(40) },
        files: [{ path: "model.safetensors", sizeBytes: 16_600_000_000, sha256: hash(digit) }],
      },
      ...{ file: ".", sha256: hash(digit) },
    },
    healthPath: "/health",
  };
}

const releases = {
  chat: release("vllm", "0.19.0", "a"),
  code: release("llama-cpp", "2026.10.1", "b"),
  vision: release("sglang-custom", "0.5.10", "c"),
};
type Name = keyof typeof releases;

interface Replica {
  readonly name: string;
  readonly deployment: Name;
  readonly host: string;
  readonly devices: readonly number[];
  readonly memory: readonly [weights: number, cache: number, other: number];
}

function seenReplica(
  { deployment, host, devices, memory }: Replica,
  version: string,
  argv: readonly string[],
  port: number,
): SeenReplica {
  const uuids = devices.map((index) => deviceOf(host, index));
  const runs = { backend: releases[deployment].backend, modelSha256: releases[deployment].model.sha256 };
  return {
    ...runs,
    deployment,
    host,
    devices: uuids,
    memory: memoryOf(uuids, ...memory),
    version,
    argv,
    ports: [port],
  };
}

const replicas = {
  chat: ["h100-01", "h100-02", "h100-03", "h100-04"].map((host, number): Replica => ({
    ...{ name: `chat-${number}`, deployment: "chat", host, devices: [4, 5, 6, 7], memory: [33.9, 34.1, 3.7] },
  })),
  vision: ["h100-05", "h100-06"].map((host, number): Replica => ({
    ...{ name: `vision-${number}`, deployment: "vision", host, devices: [0], memory: [15.5, 50, 4.5] },
  })),
  code: ["mi300x-01", "mi300x-02"].map((host, number): Replica => ({
    ...{ name: `code-${number}`, deployment: "code", host, devices: [0], memory: [17.3, 3.0, 0.5] },
  })),
};

const hosts = {
  ...Object.fromEntries([1, 2, 3, 4, 5, 6].map((number) => [`h100-0${number}`, hostReport(`h100-0${number}`, h100)])),
  ...Object.fromEntries([1, 2].map((number) => [`mi300x-0${number}`, hostReport(`mi300x-0${number}`, mi300x)])),
};

/** Somebody else is on the last device of h100-05. */
function withForeignUse(): Seen["hosts"] {
  const host = hosts["h100-05"];
  if (host === undefined) throw new Error("the fleet has no h100-05");
  const uuid = deviceOf("h100-05", 7);
  const memoryUsedBytes = Math.round(3.1 * gib);
  const used = { uuid, memoryUsedBytes, processes: [{ pid: 41_822, name: "python3", memoryBytes: memoryUsedBytes }] };
  const accelerators = [...(host.usage.accelerators ?? []).filter((each) => each.uuid !== uuid), used];
  return { ...hosts, "h100-05": { ...host, usage: { ...host.usage, accelerators } } };
}

function fleetLock(): LockFile {
  const all = Object.values(replicas).flat();
  return lockFile.parse({
    lockVersion: 1,
    id: hash("7"),
    inputs: { stack: hash("1"), backends: hash("2") },
    release: releases,
    placement: {
      hosts: Object.fromEntries(
        Object.entries(hosts).map(([name, { facts, usage }]) => [
          name,
          {
            connection: "ssh",
            ssh: { address: `${name}.example.net` },
            dataDir: "/data/berth",
            labels: {},
            facts,
            usage,
          },
        ]),
      ),
      instances: Object.fromEntries(
        all.map(({ name, deployment, host, devices, memory }) => {
          const uuids = devices.map((index) => deviceOf(host, index));
          return [
            name,
            {
              ...{
                deployment,
                host,
                devices: uuids,
                memory: memoryOf(uuids, ...memory),
                runtime: "systemd",
                port: 14_000,
              },
              ...{
                bindAddress: "127.0.0.1",
                secretEnv: {},
                minHealthySeconds: 10,
                healthyDeadlineSeconds: 1200,
                stopSeconds: 10,
              },
            },
          ];
        }),
      ),
    },
  });
}

const unchanged = { reasons: [], drift: [], fields: [] };

function chatObject(after: Replica): SeenObject {
  const argv = ["vllm", "serve", "/m", "--gpu-memory-utilization", "0.9", "--port", "14000"];
  const next = ["vllm", "serve", "/m", "--kv-cache-memory-bytes", "36614596198", "--port", "14000"];
  return {
    ...{ kind: "Instance", name: after.name, host: after.host, change: "update", drift: [] },
    reasons: ["the runner is started again: backendVersion, installation, argv"],
    fields: ["backendVersion", "installation", "argv"],
    instance: {
      before: seenReplica({ ...after, devices: [0, 1, 2, 3] }, "vllm 0.17.1", argv, 14_000),
      after: seenReplica(after, "vllm 0.19.0", next, 14_000),
      strategy: {
        ...{ kind: "blueGreen", pace: "1 at a time", downtimeSeconds: 0 },
        downtime: "none: the old runner serves until the new one is verified",
      },
    },
  };
}

function visionObject(after: Replica): SeenObject {
  return {
    ...{ kind: "Instance", name: after.name, host: after.host, change: "create", ...unchanged },
    instance: {
      after: seenReplica(after, "sglang-custom 0.5.10", ["sglang", "serve"], 14_000),
      strategy: { kind: "create", downtimeSeconds: 0, downtime: "none: nothing runs yet" },
    },
  };
}

function codeObject(replica: Replica): SeenObject {
  const same = seenReplica(replica, "llama-cpp 2026.10.1", ["llama-server"], 14_000);
  const common = { ...{ kind: "Instance", name: replica.name, host: replica.host }, ...unchanged };
  if (replica.name !== "code-1") return { ...common, change: "same", instance: { before: same, after: same } };
  return {
    ...{ ...common, change: "update", drift: ["its runner is stopped (exited)"] },
    instance: {
      ...{ before: same, after: same },
      strategy: { kind: "repair", downtimeSeconds: 1200, downtime: "what does not run is started again" },
    },
  };
}

function object(kind: string, host: string, rest: string, change: SeenObject["change"]): SeenObject {
  return { kind, name: rest === "" ? host : `${host}.${rest}`, host, change, ...unchanged };
}

const at = "2026-11-01T00:00:00.000Z";
const gigabyte = 1_000_000_000;

/** The cache of h100-04 has the new vLLM already, and those of vision have begun with its model. All was measured before. */
function fleetStores(): Seen["stores"] {
  const transfers = ["files.example.net", "huggingface.co"].map((origin, index): Measure => {
    const samples = [{ bytes: 4 * gigabyte, seconds: 100 * (index + 1), at }];
    return { schemaVersion: 1, kind: "transfer", origin, samples };
  });
  return Object.fromEntries(
    Object.keys(hosts).map((name) => {
      const placed = Object.values(replicas).flatMap((all) => all.filter(({ host }) => host === name));
      const starts = placed.map(({ deployment, devices }): Measure => {
        const { backend, model } = releases[deployment];
        const samples = [95, 41].map((seconds) => ({ seconds, version: "0.17.1", at }));
        const key = { backend, modelSha256: model.sha256, devices: devices.length };
        return { schemaVersion: 1, kind: "load", ...key, samples };
      });
      const archive = name === "h100-04" ? [[archiveHash("a"), 11_200_000_000] as const] : [];
      const begun = placed.some(({ deployment }) => deployment === "vision")
        ? [[hash("c"), 6_600_000_000] as const]
        : [];
      const store: HostStore = {
        disk: { folder: "/data/berth", freeBytes: 412 * gigabyte },
        ...{ files: new Map(archive), begun: new Map(begun), wheels: new Map(), images: new Set() },
        measures: [...transfers, ...starts],
      };
      return [name, store];
    }),
  );
}

/** A fleet of 64 devices: an update that runs beside the old, two new replicas, one that has drifted, and a stranger. */
export function fleetSeen(): Seen {
  return {
    ...{
      stack: "staging",
      lockPath: "stacks/staging.lock.yaml",
      lock: fleetLock(),
      lockBefore: hash("5"),
      isNewLock: true,
    },
    reason: "the stack file was changed",
    choices: ["chat: vllm 0.19.0: named exactly", "vision: sglang-custom 0.5.10: named exactly"],
    warnings: [],
    objects: [
      ...Object.keys(hosts).map((host) => object("Host", host, "", "same")),
      ...replicas.chat.flatMap(({ host }) => [
        object("BackendVersion", host, "vllm_0.19.0", "create"),
        object("ModelFiles", host, "aaaaaaaaaaaa", "same"),
      ]),
      ...replicas.vision.flatMap(({ host }) => [
        object("BackendVersion", host, "sglang-custom_0.5.10", "create"),
        object("ModelFiles", host, "cccccccccccc", "create"),
      ]),
      ...replicas.chat.map(chatObject),
      ...replicas.vision.map(visionObject),
      ...replicas.code.map(codeObject),
    ],
    hasState: true,
    ...{ hosts: withForeignUse(), stores: fleetStores() },
    notes: [],
    projectRoot: "/project",
  };
}

/** The same fleet, as it is when all is done. */
export function settledSeen(): Seen {
  const seen = fleetSeen();
  const objects = seen.objects.map(({ instance, ...object }): SeenObject => {
    const done = { ...object, change: "same" as const, ...unchanged };
    return instance?.after === undefined
      ? done
      : { ...done, instance: { before: instance.after, after: instance.after } };
  });
  return { ...seen, objects, lockBefore: seen.lock.id, isNewLock: false, reason: undefined, choices: [] };
}
