import type { GgufTensor } from "./gguf-header.js";
import type { GgufShape } from "./gguf-shape.js";
import type { Offload, Place } from "./llama-offload.js";
import type { LlamaSetting } from "./llama-options.js";
import { sum } from "./memory.js";

/** Weights by where they lie. */
export interface LlamaWeights {
  readonly bytes: ReadonlyMap<Place, number>;
  /** A second copy of weights of the host, laid out for its processor, where the file stays mapped. */
  readonly repackedBytes: number;
}

const layerName = /^blk\.(\d+)\./;
const expertName = /\.ffn_(?:up|down|gate|gate_up)_(?:ch)?exps\./;
/** The input: `LLM_TENSOR_LAYER_INPUT` in `LLM_TENSOR_INFOS` of llama.cpp's src/llama-arch.cpp. */
const inputName = /^(?:token_embd|token_types|position_embd|per_layer_token_embd)\./;

/**
 * Where llama.cpp puts the weights (`create_tensor` of src/llama-model.cpp and src/models). Where the output has no
 * weights of its own, it uses those of the input: a device gets a copy of them, and so does a host that lays them out
 * anew, because the input is read as it was.
 */
export function placeWeights(
  tensors: readonly GgufTensor[],
  offload: Offload,
  setting: Pick<LlamaSetting, "expertsOnHost" | "mapped" | "remote" | "split">,
  shape: Pick<GgufShape, "hasOutput">,
): LlamaWeights {
  const bytes = new Map<Place, number>();
  const add = (place: Place, amount: number) => bytes.set(place, (bytes.get(place) ?? 0) + amount);
  const onHost: GgufTensor[] = [];
  for (const tensor of tensors) {
    const place = placeOf(tensor.name, offload, setting.expertsOnHost);
    add(place, tensor.bytes);
    if (place === "host") onHost.push(tensor);
  }
  const needsInput = shape.hasOutput && !tensors.some(({ name }) => name === "output.weight");
  const input = tensors.find(({ name }) => name === "token_embd.weight");
  // Devices of this host bring memory that they reach for its weights, which comes before other layouts.
  const repacks = setting.split.length === 0 || setting.remote;
  const isRepackedHere = (tensor: GgufTensor) => repacks && isRepacked(tensor);
  const isCopied = needsInput && input !== undefined && (offload.output !== "host" || isRepackedHere(input));
  if (isCopied) add(offload.output, input.bytes);
  const repacked = setting.mapped
    ? onHost.filter((tensor) => !inputName.test(tensor.name) && isRepackedHere(tensor))
    : [];
  return { bytes, repackedBytes: sum(repacked.map(({ bytes: own }) => own)) };
}

function placeOf(name: string, { layers, output }: Offload, expertsOnHost: number): Place {
  const layer = layerName.exec(name)?.[1];
  if (layer === undefined) return inputName.test(name) ? "host" : output;
  if (expertName.test(name) && Number(layer) < expertsOnHost) return "host";
  return layers[Number(layer)] ?? output;
}

/** `ggml_repack_get_optimal_repack_type` in ggml's src/ggml-cpu/repack.cpp, for processors with AVX2. */
const repackedTypes: ReadonlySet<string> = new Set(["q4_0", "q4_k", "iq4_nl", "mxfp4"]);

function isRepacked({ shape, type }: GgufTensor): boolean {
  return repackedTypes.has(type) && shape.length > 1 && (shape[1] ?? 0) % 8 === 0;
}
