/** How a process is told which accelerators are its own. Pure. */
import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import type { Accelerator, HostFacts } from "../schema/facts.js";

/** What vendors' libraries read; those that know no identities count as their tools do. */
const variables: Readonly<Record<string, { name: string; by: "uuid" | "index" }>> = {
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

type Cards = Pick<HostFacts, "accelerators">;

/** Empty where no device is given, or the host's facts do not know it: then the process sees all. */
export function deviceVariables(devices: readonly string[], facts: Cards | undefined): Record<string, string> {
  const found = findVariable(devices, facts?.accelerators ?? []);
  if (found === undefined) return {};
  const { name, cards } = found;
  return { [name]: cards.map(({ value }) => value).join(",") };
}

/** Whether a process may be told its devices by numbers, as far as its environment shows: catalogues name variables. */
export function hasNumbers(environment: Readonly<Record<string, string>>, devices: readonly string[]): boolean {
  return Object.values(environment).some(
    (value) => /^\d+(?:,\d+)*$/.test(value) && value.split(",").length === devices.length,
  );
}

/**
 * One sentence for each device that a process is told by a number which the driver gives to another now, as it may after
 * a reboot. Nothing is said of devices that are told by their identity, and of those of which nothing but the number is
 * known.
 */
export function findRenumbered(
  devices: readonly string[],
  environment: Readonly<Record<string, string>>,
  accelerators: readonly Accelerator[],
): string[] {
  const { name = "", cards = [] } = findVariable(devices, accelerators) ?? {};
  const told = environment[name]?.split(",") ?? [];
  // What somebody wrote otherwise says something else.
  if (told.length !== cards.length) return [];
  return cards.flatMap(({ id, value, isNumber }, place) => {
    const before = told[place] ?? "";
    return !isNumber || before === value ? [] : [`${id} has the number ${value}, and had ${before}`];
  });
}

/** The variable that a process has its devices by, and what it says of each; undefined where one of them is not known. */
function findVariable(devices: readonly string[], accelerators: readonly Accelerator[]) {
  const cards = devices.flatMap((id) => {
    const card = accelerators.find(
      ({ uuid, mig }) => uuid === id || mig?.devices.some((part) => part.uuid === id) === true,
    );
    return card === undefined ? [] : [{ id, card }];
  });
  const [first] = cards;
  const variable = first === undefined ? undefined : variableOf(first.card);
  if (variable === undefined || cards.length < devices.length) return undefined;
  const told = cards.map(({ id, card }) => {
    const isNumber = variable.by === "index" || !isToldApart(card);
    return { id, isNumber, value: isNumber ? String(card.index) : id };
  });
  return { name: variable.name, cards: told };
}

/** Of a type that Berth does not know its file of runner images tells it. */
function variableOf({ type, declared }: Accelerator): { name: string; by: "uuid" | "index" } | undefined {
  const name = declared?.variable;
  return lookUp(variables, type) ?? (name === undefined ? undefined : { name, by: "index" });
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
