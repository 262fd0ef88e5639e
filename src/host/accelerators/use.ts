import type { Accelerator, AcceleratorUsage, Vendor } from "../../schema/facts.js";
import type { Host } from "../host.js";
import { findProcessTable, type ProcessTable } from "../process-table.js";
import { detectors } from "./detectors.js";
import { findAccelerators } from "./search.js";

/** Who has memory of which accelerator at one moment. */
export interface AcceleratorUse {
  readonly accelerators: readonly Accelerator[];
  readonly usage: readonly AcceleratorUsage[];
  readonly processes: ProcessTable;
}

export interface UseQuestion {
  readonly vendors: readonly Vendor[];
  /** Asks each vendor's first question alone, which NVIDIA's tool answers in full but for MIG devices. */
  readonly briefly?: boolean;
  readonly signal?: AbortSignal;
}

/** Asks the tools of some vendors, and then the host for its processes. What does not answer tells nothing. */
export async function findUse(
  host: Pick<Host, "run">,
  { vendors, briefly = false, signal }: UseQuestion,
): Promise<AcceleratorUse> {
  const { accelerators, usage } = await findAccelerators(host, {
    ramBytes: 0,
    signal,
    detectors: detectors.filter(({ vendor }) => vendors.includes(vendor)),
    ...(briefly ? { mostRounds: 1 } : {}),
  });
  return { accelerators, usage, processes: await findProcessTable(host) };
}
