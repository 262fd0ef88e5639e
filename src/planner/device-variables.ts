/** How a process is told which accelerators are its own. Pure. */
import { BerthError } from "../lib/errors.js";
import type { Accelerator, HostFacts } from "../schema/facts.js";

/** What vendors' libraries read; those that know no identities count as their tools do. */
const variables: Readonly<Partial<Record<Accelerator["type"], { name: string; by: "uuid" | "index" }>>> = {
  // https://docs.nvidia.com/cuda/cuda-c-programming-guide/#env-vars; a MIG device too
  cuda: { name: "CUDA_VISIBLE_DEVICES", by: "uuid" },
  // https://rocm.docs.amd.com/en/latest/conceptual/gpu-isolation.html
  rocm: { name: "HIP_VISIBLE_DEVICES", by: "index" },
  dtk: { name: "HIP_VISIBLE_DEVICES", by: "index" },
  cann: { name: "ASCEND_RT_VISIBLE_DEVICES", by: "index" },
  musa: { name: "MUSA_VISIBLE_DEVICES", by: "index" },
  maca: { name: "CUDA_VISIBLE_DEVICES", by: "index" },
  corex: { name: "CUDA_VISIBLE_DEVICES", by: "index" },
  hggc: { name: "CUDA_VISIBLE_DEVICES", by: "index" },
  neuware: { name: "MLU_VISIBLE_DEVICES", by: "index" },
};

/** Empty where no device is given, or the host's facts do not know it: then the process sees all. */
export function deviceVariables(
  devices: readonly string[],
  facts: Pick<HostFacts, "accelerators"> | undefined,
): Record<string, string> {
  const cards = devices.flatMap((id) => {
    const card = facts?.accelerators.find(
      ({ uuid, mig }) => uuid === id || mig?.devices.some((part) => part.uuid === id) === true,
    );
    return card === undefined ? [] : [{ id, card }];
  });
  const [first] = cards;
  const variable = first === undefined ? undefined : variables[first.card.type];
  if (variable === undefined || cards.length < devices.length) return {};
  const values = cards.map(({ id, card }) => (variable.by === "uuid" && isToldApart(card) ? id : String(card.index)));
  return { [variable.name]: values.join(",") };
}

/**
 * A variable that somebody sets would count more than the placement.
 *
 * @throws BerthError `stack-inconsistent` when it names other devices
 */
export function assertSameDevices(
  environment: Readonly<Record<string, string>>,
  devices: readonly string[],
  facts: Pick<HostFacts, "accelerators">,
  where: string,
): void {
  for (const [name, value] of Object.entries(deviceVariables(devices, facts))) {
    const own = environment[name];
    if (own === undefined || own === value) continue;
    throw new BerthError("stack-inconsistent", {
      where,
      what: `\`env\` says which devices it has, and so does its placement`,
      got: `${name}: ${own}`,
      expected: `${name} left out, which is ${value}`,
      hint: "say which devices it may have by `placement: { devices: { HOST: [...] } }`",
    });
  }
}

/** An identity that is a PCI bus id or an index is none to the driver. */
function isToldApart({ identifiedBy = "uuid" }: Accelerator): boolean {
  return identifiedBy === "uuid";
}
