import type { Accelerator } from "../../schema/facts.js";

/** The identity of an accelerator: the vendor's, else the PCI bus id, else what was made of the index. */
export function identify({
  uuid,
  pciBusId,
  fallback,
}: {
  uuid: string | undefined;
  pciBusId: string | undefined;
  fallback: string;
}): Pick<Accelerator, "uuid" | "identifiedBy" | "pciBusId"> {
  const bus = pciBusId === undefined ? {} : { pciBusId };
  if (uuid !== undefined) return { uuid, ...bus };
  if (pciBusId !== undefined) return { uuid: pciBusId, identifiedBy: "pciBusId", ...bus };
  return { uuid: fallback, identifiedBy: "index" };
}
