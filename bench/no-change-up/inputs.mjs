import { join } from "node:path";

const model = "Qwen2.5-72B-Instruct";
const modelSha256 = "8c1f6ad2b5f0e93a7d4416c9b0e25f7318ad9c64e07b52f3a1d86c90bb4e7f25";
const installation = "3f9c1d7e5a2b8046";
const devices = [
  "GPU-6f1f5a9e-3b0c-4a47-9d55-0c6b8e2a71d4",
  "GPU-b2d7c044-91fe-4d0a-8c1b-57e0a3f9d862",
  "GPU-0e93a7d4-52f3-41d8-a1c6-9c64e07bb4e7",
  "GPU-d41697b0-e25f-4318-9ad9-f3a1d86c90bb",
];

/** Where the engine and the model of {@link instanceInputs} lie on the host. */
export function engineFiles(dataDir) {
  return { engine: join(dataDir, "bin", "vllm_0.19.0"), model: join(dataDir, "models", modelSha256, model) };
}

/** The inputs of one vLLM 0.19 instance on four GPUs, but for its owner, its name and its secret environment. */
export function instanceInputs(dataDir, index) {
  const files = engineFiles(dataDir);
  const port = 40000 + index;
  return {
    host: { name: "h100-01", connection: "local", dataDir },
    deployment: "chat",
    backend: "vllm",
    backendVersion: "0.19.0",
    installation,
    modelSha256,
    modelPath: files.model,
    placement: "b04e7f258c1f6ad2",
    runtime: "systemd",
    argv: [files.engine, "serve", files.model, ...parameters(port)],
    env: environment(dataDir),
    bindAddress: "0.0.0.0",
    port,
    servedModel: "chat",
    apiKeyVariable: "VLLM_API_KEY",
    healthPath: "/health",
    minHealthySeconds: 30,
    healthyDeadlineSeconds: 1200,
    stopSeconds: 60,
  };
}

/** A secret of {@link instanceInputs}; worth nothing. */
export const secretEnv = { VLLM_API_KEY: "sk-bench-5b7e0d2c9a4f4c61b8d3e6f7a1029c84" };

/** @returns {string[]} */
function parameters(port) {
  return [
    ...["--host", "0.0.0.0"],
    ...["--port", String(port)],
    ...["--served-model-name", "chat"],
    ...["--tensor-parallel-size", "4"],
    ...["--pipeline-parallel-size", "1"],
    ...["--distributed-executor-backend", "mp"],
    ...["--dtype", "bfloat16"],
    ...["--kv-cache-dtype", "fp8"],
    ...["--gpu-memory-utilization", "0.92"],
    ...["--max-model-len", "32768"],
    ...["--max-num-seqs", "256"],
    ...["--max-num-batched-tokens", "16384"],
    ...["--generation-config", "vllm"],
    ...["--override-generation-config", '{"temperature":0.7,"top_p":0.8,"repetition_penalty":1.05}'],
    ...["--speculative-config", '{"method":"ngram","num_speculative_tokens":4,"prompt_lookup_max":4}'],
    ...["--compilation-config", '{"cudagraph_mode":"FULL_AND_PIECEWISE","cudagraph_capture_sizes":[1,2,4,8,16,32,64]}'],
    ...["--tool-call-parser", "hermes"],
    ...["--limit-mm-per-prompt", '{"image":0,"video":0}'],
    ...["--seed", "0"],
    ...["--uvicorn-log-level", "warning"],
    "--enable-prefix-caching",
    "--enable-chunked-prefill",
    "--enable-auto-tool-choice",
    "--enable-prompt-tokens-details",
    "--disable-custom-all-reduce",
    "--no-enable-log-requests",
  ];
}

function environment(dataDir) {
  return {
    CUDA_DEVICE_ORDER: "PCI_BUS_ID",
    CUDA_VISIBLE_DEVICES: devices.join(","),
    HF_HOME: join(dataDir, "cache", "huggingface"),
    HF_HUB_OFFLINE: "1",
    NCCL_DEBUG: "WARN",
    NCCL_IB_HCA: "mlx5_0,mlx5_1,mlx5_4,mlx5_5",
    NCCL_P2P_LEVEL: "NVL",
    NCCL_SOCKET_IFNAME: "bond0",
    OMP_NUM_THREADS: "8",
    PYTORCH_CUDA_ALLOC_CONF: "expandable_segments:True",
    TOKENIZERS_PARALLELISM: "false",
    TRANSFORMERS_OFFLINE: "1",
    VLLM_CACHE_ROOT: join(dataDir, "cache", "vllm"),
    VLLM_LOGGING_LEVEL: "INFO",
    VLLM_WORKER_MULTIPROC_METHOD: "spawn",
  };
}
