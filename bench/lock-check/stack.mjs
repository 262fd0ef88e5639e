/** A stack of many deployments as it could be, from a seed: the same seed gives the same text on every machine. */
import { randomFrom } from "../placement/fleets.mjs";

const GiB = 2 ** 30;

/** Of each engine: how many of ten deployments have it, and what a person writes of them. */
const engines = [
  { share: 5, backend: "vllm", backendVersion: "0.30.0", install: "image", weights: "safetensors" },
  { share: 2, backend: "sglang", backendVersion: "0.5.20", install: "image", weights: "safetensors" },
  { share: 3, backend: "llama-cpp", backendVersion: "b11206", install: "image", weights: "gguf" },
];
const makers = ["acme", "contoso", "globex", "initech", "umbrella"];
const families = ["Instruct", "Coder", "Reasoner", "Chat", "Base"];
/** Billions of weights, and GiB that a replica of it takes of a device. */
const sizes = [
  { billions: 1, gib: 6 },
  { billions: 4, gib: 12 },
  { billions: 8, gib: 20 },
  { billions: 14, gib: 32 },
  { billions: 32, gib: 70 },
];

/** @returns what a person writes into the stack file */
export function makeStack({ seed, deployments }) {
  const random = randomFrom(seed);
  const hosts = Math.ceil(deployments / 8);
  return {
    schemaVersion: 1,
    hostDefaults: {
      connection: "ssh",
      ssh: { user: "berth", address: "{{host}}.example.net" },
      dataDir: "/srv/berth",
      labels: { site: "north" },
    },
    hosts: { [`gpu-[001-${String(hosts).padStart(3, "0")}]`]: {} },
    deployments: Object.fromEntries(
      Array.from({ length: deployments }, (_, index) => [`model-${index + 1}`, makeDeployment(random, index)]),
    ),
  };
}

function makeDeployment(random, index) {
  const { share: _, weights, ...engine } = random.pick(engines.flatMap((each) => Array(each.share).fill(each)));
  const { billions, gib } = random.pick(sizes);
  const repo = `${random.pick(makers)}/${random.pick(families)}-${billions}B-v${(index % 9) + 1}`;
  return {
    ...engine,
    model: {
      source: "huggingface",
      repo: weights === "gguf" ? `${repo}-GGUF` : repo,
      ...(weights === "gguf" ? { files: ["*Q4_K_M*"] } : {}),
    },
    contextLength: random.pick([8192, 16_384, 32_768]),
    env: { OMP_NUM_THREADS: "8", HF_HUB_OFFLINE: "1" },
    secretEnv: { TRACING_KEY: { secret: "tracing-key" } },
    resources: { vramBytes: gib * GiB },
    ...(random.chance(0.3) ? { replicas: 2 } : {}),
    ...(random.chance(0.2) ? { placement: { priority: 10, strategy: "binpack" } } : {}),
  };
}
