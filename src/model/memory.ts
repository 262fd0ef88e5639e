/** What takes memory, in bytes. */
export interface MemoryParts {
  readonly weightsBytes: number;
  /** Keys and values of tokens, and states. */
  readonly cacheBytes: number;
  /** Intermediate results of a step. */
  readonly computeBytes: number;
  /** What a step has found out, for the sampler. */
  readonly outputBytes: number;
  /** Programs, drivers and libraries: not counted by the engine itself. */
  readonly runtimeBytes: number;
}

export interface DeviceMemory extends MemoryParts {
  /** `host`, or the number of a device. */
  readonly device: "host" | number;
  /** Layers of the model whose weights are there; the output counts as one. */
  readonly layers: number;
}

export interface MemoryEstimate {
  readonly engine: "llama-cpp" | "vllm";
  readonly architecture: string;
  /** An upper bound where it is not known how the engine makes the memory of such a model. */
  readonly isUpperBound: boolean;
  /** Tokens that a text may have. */
  readonly contextLength: number;
  /** Texts at once. */
  readonly parallel: number;
  /** The host first, then the devices. */
  readonly places: readonly DeviceMemory[];
  /** What a reader has to know, a sentence each. */
  readonly notes: readonly string[];
}

/** What an engine itself counts: all but what runs it. */
export function ownBytes({ weightsBytes, cacheBytes, computeBytes, outputBytes }: MemoryParts): number {
  return weightsBytes + cacheBytes + computeBytes + outputBytes;
}

export function totalBytes(parts: MemoryParts): number {
  return ownBytes(parts) + parts.runtimeBytes;
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** The smallest multiple of a step that is not smaller. */
export function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}
