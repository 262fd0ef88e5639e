interface Known {
  /** By `product_architecture`, where the driver tells it. */
  readonly architecture?: string;
  /** By the product's name. */
  readonly product?: RegExp;
  readonly capability: string;
}

/**
 * Compute capabilities for drivers that do not tell them, the first that fits. Source: NVIDIA's tables of current and
 * legacy GPUs, https://developer.nvidia.com/cuda-gpus and https://developer.nvidia.com/cuda-legacy-gpus. Blackwell is
 * left out: every driver that runs it tells its capability.
 */
const known: readonly Known[] = [
  { architecture: "Hopper", capability: "9.0" },
  { architecture: "Ada Lovelace", capability: "8.9" },
  { architecture: "Ampere", product: /\bA(?:100|800|30)(?:\b|X)/, capability: "8.0" },
  { architecture: "Ampere", product: /\bOrin\b/, capability: "8.7" },
  { architecture: "Ampere", capability: "8.6" },
  { architecture: "Turing", capability: "7.5" },
  { architecture: "Volta", product: /\bXavier\b/, capability: "7.2" },
  { architecture: "Volta", capability: "7.0" },
  { architecture: "Pascal", product: /\bP100\b/, capability: "6.0" },
  { architecture: "Pascal", capability: "6.1" },
  { product: /\bA(?:100|800|30)\b/, capability: "8.0" },
  { product: /\bT4\b|\bRTX 20\d0\b|\bGTX 16\d0\b|\bQuadro RTX\b|\bTITAN RTX\b/i, capability: "7.5" },
  { product: /\bV100\b|\bTITAN V\b/i, capability: "7.0" },
  { product: /\bP100\b/, capability: "6.0" },
  { product: /\bTesla P(?:4|6|40)\b|\bGTX 10\d0\b|\bTITAN X[Pp]\b|\bQuadro P\d{3,4}\b/, capability: "6.1" },
];

/** The compute capability of a product; undefined when it is not known for sure. */
export function computeCapabilityOf(product: string, architecture: string | undefined): string | undefined {
  return known.find(
    (entry) => entry.architecture === architecture && (entry.product === undefined || entry.product.test(product)),
  )?.capability;
}
