import type { HostFacts } from "../schema/facts.js";
import type { Labels } from "./selector.js";

/** Labels by which the reference system and container images call an architecture. */
const archLabels: Readonly<Record<HostFacts["arch"], string>> = { x64: "amd64", arm64: "arm64" };

/** Words of product names that say whose it is, and not what. */
const vendorWords = new Set(
  "nvidia tesla geforce graphics corporation amd ati instinct radeon huawei ascend apple gpu npu mthreads moore threads iluvatar metax cambricon hygon t-head thead device".split(
    " ",
  ),
);
/** Size and kind of memory, and form of the card: one product has several. */
const formWords = /^(?:\d+gb?|\d+gib|hbm\d*e?|pcie|sxm\d*|oam)$/;
const longestLabel = 63;

/**
 * The labels that a host has by what it is: `os`, `arch` (`amd64` or `arm64`), `accelerator` (the type of its first
 * accelerator, or `cpu`) and, where there is one, `gpu` (its product).
 */
export function deriveLabels({ os, arch, accelerators }: HostFacts): Labels {
  const [first] = accelerators;
  const gpu = first === undefined ? "" : productLabel(first.name);
  return {
    os,
    arch: archLabels[arch],
    accelerator: first?.type ?? "cpu",
    ...(gpu === "" ? {} : { gpu }),
  };
}

/**
 * The name of a product as a label: `NVIDIA H100 80GB HBM3` is `h100`, `NVIDIA GeForce RTX 4090` is `rtx-4090`. Vendor,
 * memory and form of the card are left out, so that one label finds all of a kind.
 */
export function productLabel(name: string): string {
  // What stands in brackets is the product, before them the chip: "Navi 22 [Radeon RX 6700 XT]".
  const product = /\[([^\]]+)\]/.exec(name)?.[1] ?? name;
  const words = product
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    // Releases of one vendor's tool write both: Ascend910B3 and 910B3, MXC500 and MetaX C500.
    .map((word) => word.replace(/^(?:ascend(?=\d)|mx(?=c\d))/, ""))
    .filter((word) => word !== "");
  const telling = words.filter((word) => !vendorWords.has(word) && !formWords.test(word));
  const label = (telling.length === 0 ? words : telling).join("-");
  return label.slice(0, longestLabel).replace(/-$/, "");
}
