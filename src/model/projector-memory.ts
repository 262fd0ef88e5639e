import type { GgufHeader } from "./gguf-header.js";
import { sum } from "./memory.js";

const floatBytes = 4;
/** Patches of a picture where the file names no size of pictures: about a megapixel. */
const otherwisePatches = 4096;

/**
 * A projector (mmproj), which reads pictures or sound for a model. Its weights are those of its file. What it computes
 * is an upper bound: the scores of all patches of one picture beside the widest step, as without flash attention
 * (`clip_model_loader::warmup` in llama.cpp's tools/mtmd/clip.cpp).
 */
export function projectorMemory({ metadata, tensors }: GgufHeader): { weightsBytes: number; computeBytes: number } {
  const weightsBytes = sum(tensors.map(({ bytes }) => bytes));
  const number = (key: string): number => {
    const value = metadata.get(key);
    return typeof value === "number" ? value : 0;
  };
  const kinds = ["clip.vision", "clip.audio"].filter((kind) => number(`${kind}.embedding_length`) > 0);
  const computeBytes = kinds.map((kind) => {
    const [width, inner] = [number(`${kind}.embedding_length`), number(`${kind}.feed_forward_length`)];
    const [image, patch] = [number(`${kind}.image_size`), number(`${kind}.patch_size`)];
    const patches = image > 0 && patch > 0 ? Math.ceil(image / patch) ** 2 : otherwisePatches;
    const scores = patches * patches * number(`${kind}.attention.head_count`);
    return (scores + patches * (8 * width + 2 * inner)) * floatBytes;
  });
  return { weightsBytes, computeBytes: Math.max(0, ...computeBytes) };
}
