import { splitFlag } from "../model/engine-flags.js";

/**
 * Parameters by which a person says where the parts of a model go: to the host's memory, to some layers' devices, or in
 * other parts than even ones. llama.cpp's and llama-box's, vLLM's, SGLang's.
 */
const flags: ReadonlySet<string> = new Set([
  ...["-sm", "--split-mode", "-mg", "--main-gpu", "-dev", "--device", "--rpc", "--rpc-servers"],
  ...["-ot", "--override-tensor", "-cmoe", "--cpu-moe", "-ncmoe", "--n-cpu-moe"],
  ...["--cpu-offload-gb", "--cpu-offload-params", "--offload-group-size", "--kt-cpuinfer"],
]);

const splitFlags: ReadonlySet<string> = new Set(["-ts", "--tensor-split"]);
const layerFlags: ReadonlySet<string> = new Set(["-ngl", "--gpu-layers", "--n-gpu-layers"]);

/** No model has as many layers: all are meant. */
const allLayers = 99;

/** llama.cpp takes its parameters by variables too: `LLAMA_ARG_N_GPU_LAYERS` is `--n-gpu-layers`. */
const variablePrefix = "LLAMA_ARG_";

/** Whether a runner is told where the parts of its model go. Pure. */
export function isPlacedByHand(argv: readonly string[], environment: Readonly<Record<string, string>>): boolean {
  const variables = Object.entries(environment).flatMap(([name, value]): [string, string][] =>
    name.startsWith(variablePrefix) ? [[toFlag(name), value]] : [],
  );
  return [...argv.map((word, index) => splitFlag(word, argv[index + 1])), ...variables].some(
    ([flag, value]) =>
      flags.has(flag) || (layerFlags.has(flag) && !isAll(value)) || (splitFlags.has(flag) && !isEven(value)),
  );
}

function toFlag(variable: string): string {
  return `--${variable.slice(variablePrefix.length).toLowerCase().replaceAll("_", "-")}`;
}

function isEven(value: string): boolean {
  return new Set(value.split(/[,/]/)).size === 1;
}

function isAll(value: string): boolean {
  return ["all", "auto", "-1"].includes(value) || Number(value) >= allLayers;
}
