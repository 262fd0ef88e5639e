/** What a lock looks up outside, answered by rule: repositories of many files, hosts of eight H100, digests of names. */
import { createHash } from "node:crypto";

const GiB = 2 ** 30;
const sha256 = (text) => createHash("sha256").update(text).digest("hex");

/** @type {import("../../dist/lock/build.js").LockEdges} */
export const edges = {
  knowHost: async (name, { dataDir }) => ({ dataDir, facts: hostFacts(name), usage: { listeningPorts: [22, 9100] } }),
  findWheel: async (name, version) => ({ sha256: sha256(`${name} ${version}`) }),
  openRepository: async ({ repo, revision }) => openRepository(repo, sha256(`${repo} ${revision}`).slice(0, 40)),
  readMemory: async () => undefined,
  lockPackages: async ({ package: name, version }) => `${name}==${version} --hash=sha256:${sha256(name + version)}\n`,
  fetchReleaseFile: async ({ url }) => ({ sha256: sha256(url), sizeBytes: 300_000_000 }),
  askImageDigest: async (reference) => ({ kind: "found", digest: `sha256:${sha256(reference)}` }),
};

function openRepository(repo, commit) {
  const isGguf = repo.endsWith("-GGUF");
  const billions = Number(/-(\d+)B-/.exec(repo)?.[1] ?? 1);
  const weights = isGguf ? ggufFiles(repo) : safetensorsFiles(billions);
  const large = weights.map(({ path, sizeBytes }) => ({
    path,
    sizeBytes,
    sha256: sha256(repo + path),
    gitSha1: undefined,
  }));
  const small = Object.entries(documents).map(([path, content]) => ({
    ...{ path, sizeBytes: Buffer.byteLength(content), sha256: undefined },
    gitSha1: sha256(repo + path).slice(0, 40),
  }));
  return {
    commit,
    task: "text-generation",
    files: [...small, ...large],
    read: async (path) => Buffer.from(documents[path] ?? (isGguf ? "GGUF\u0003\0\0\0" : safetensorsHeader)),
    readRange: async () => new Uint8Array(),
    readGguf: async () => ({ "general.architecture": "llama", "tokenizer.chat_template": "{{ messages }}" }),
  };
}

/** As large models are cut: about 5 GB each. */
function safetensorsFiles(billions) {
  const count = Math.max(1, Math.ceil((billions * 2) / 5));
  const number = (value) => String(value).padStart(5, "0");
  return Array.from({ length: count }, (_, index) => ({
    path: count === 1 ? "model.safetensors" : `model-${number(index + 1)}-of-${number(count)}.safetensors`,
    sizeBytes: Math.round((billions * 2e9) / count),
  }));
}

function ggufFiles(repo) {
  const [, name = "model"] = repo.split("/");
  return ["Q4_K_M", "Q5_K_M", "Q8_0"].map((type) => ({
    path: `${name.replace(/-GGUF$/, "")}-${type}.gguf`,
    sizeBytes: 5_000_000_000,
  }));
}

const header = JSON.stringify({ weight: { dtype: "BF16", shape: [1], data_offsets: [0, 2] } });
const safetensorsHeader = `${String.fromCharCode(header.length)}${"\0".repeat(7)}${header}`;

const documents = {
  "config.json": JSON.stringify({ architectures: ["LlamaForCausalLM"], model_type: "llama" }),
  "generation_config.json": JSON.stringify({ do_sample: true, temperature: 0.6, top_p: 0.9 }),
  "model.safetensors.index.json": JSON.stringify({ metadata: { total_size: 1 }, weight_map: {} }),
  "special_tokens_map.json": JSON.stringify({ bos_token: "<s>", eos_token: "</s>" }),
  "tokenizer.json": JSON.stringify({ version: "1.0", model: { type: "BPE" } }),
  "tokenizer_config.json": JSON.stringify({ chat_template: "{{ messages }}", model_max_length: 131_072 }),
  "vocab.json": "{}",
  "merges.txt": "#version: 0.2\n",
};

function hostFacts(name) {
  return {
    ...{ os: "linux", distribution: "Ubuntu 24.04", arch: "x64", cpus: 192, ramBytes: 2048 * GiB },
    ...{ diskBytes: 30_000 * GiB, user: "berth", home: "/home/berth", initSystem: "systemd" },
    python: { path: "/usr/bin/python3", version: "3.12.3" },
    containerEngine: { engine: "docker", version: "28.1.1", apiVersion: "1.49" },
    accelerators: Array.from({ length: 8 }, (_, index) => ({
      ...{ type: "cuda", name: "NVIDIA H100 80GB HBM3", index, uuid: `GPU-${uuidOf(`${name} ${index}`)}` },
      ...{ memoryBytes: 80 * GiB, driverVersion: "570.124.06", runtimeVersion: "12.8", computeCapability: "9.0" },
      ...{ numaNode: index < 4 ? 0 : 1, linkGroup: 0, pciBusId: `00000000:${(0x18 + index * 16).toString(16)}:00.0` },
    })),
  };
}

function uuidOf(text) {
  return sha256(text).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, "$1-$2-$3-$4-$5");
}
