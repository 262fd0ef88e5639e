import type { HubShape } from "./hub-shape.js";

const numberBytes = 2;
const floatBytes = 4;
/** Results whose logits are computed at once: `--max-num-seqs` of the engine's first runs. */
const sampledTexts = 256;
/** Context of the driver, kernels and libraries, and graphs: rules of thumb, not measured (docs/estimates.md). */
const contextBytes = 600 * 2 ** 20;
export const graphBytes = 500 * 2 ** 20;
/** Buffers of communication between devices. */
const communicationBytes = 800 * 2 ** 20;

/**
 * The peak of the run with which vLLM finds out how much it needs (`profile_run` in vllm/v1/worker/gpu_model_runner.py):
 * the widest step of all tokens of a batch, or the logits of as many texts as it samples, as numbers and as 32-bit ones.
 * Of tokens that are guessed the logits are looked at too (`RejectionSampler` in vllm/v1/sample).
 */
export function activationBytes(
  shape: HubShape,
  tensorParallel: number,
  batchTokens: number,
  guessedTokens = 0,
): number {
  const { width, inner, heads, headSize, vocabulary } = shape;
  const step = 4 * width + (3 * inner + 3 * heads * headSize) / tensorParallel;
  const logits =
    Math.min(sampledTexts * (1 + guessedTokens), batchTokens) * vocabulary * (numberBytes + 2 * floatBytes);
  return Math.ceil(Math.max(batchTokens * step * numberBytes, logits));
}

export function libraryBytes(devices: number): number {
  return contextBytes + graphBytes + (devices > 1 ? communicationBytes : 0);
}
