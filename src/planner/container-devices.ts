/** In which form a container is given the accelerators that a placement names. Pure. */
import { BerthError } from "../lib/errors.js";
import type { ContainerDevices } from "../schema/container.js";
import type { Accelerator, HostFacts } from "../schema/facts.js";

const numbered = ["cann", "corex", "hggc", "neuware"] as const;

/**
 * Undefined for a placement without devices. Programs that place by hand may know no facts: then only NVIDIA's UUIDs
 * tell what they are.
 *
 * @throws BerthError `host-unsuitable` for devices of several types, and for those that cannot be told apart by files
 */
export function containerDevices(
  ids: readonly string[],
  facts: Pick<HostFacts, "accelerators"> | undefined,
  where: string,
): ContainerDevices | undefined {
  const [first] = ids;
  if (first === undefined) return undefined;
  const found = ids.map((id) => findDevice(id, facts?.accelerators ?? []));
  const types = [...new Set(found.map((device, place) => device?.type ?? typeOf(ids[place] ?? "")))];
  const [type] = types;
  if (types.length > 1 || type === undefined) throw unfit(where, types.map((each) => each ?? "unknown").join(", "));
  if (type === "cuda") return { form: "request", acceleratorType: type, ids: [...ids] };
  const indexes = found.flatMap((device) => (device === undefined ? [] : [device.index]));
  const byNumber = numbered.find((each) => each === type);
  if (byNumber !== undefined)
    return { form: "numberedNodes", acceleratorType: byNumber, ids: [...ids], indexes, nodes: [] };
  if (type === "musa") return { form: "vendorRuntime", acceleratorType: type, ids: [...ids], indexes };
  throw unfit(where, type);
}

function findDevice(id: string, accelerators: readonly Accelerator[]): Accelerator | undefined {
  return accelerators.find(({ uuid, mig }) => uuid === id || mig?.devices.some((part) => part.uuid === id));
}

function typeOf(id: string): "cuda" | undefined {
  return /^(?:GPU|MIG)-/.test(id) ? "cuda" : undefined;
}

function unfit(where: string, got: string): BerthError {
  return new BerthError("host-unsuitable", {
    where,
    what: "Berth does not know how to give these devices, and no others, to a container",
    got,
    expected: "devices of one type: cuda, cann, corex, hggc, neuware or musa",
    hint: "run it as a process: a version with binary, pipx or manual",
  });
}
