/** In which form a container is given the accelerators that a placement names. Pure. */
import { BerthError } from "../lib/errors.js";
import type { ContainerDevices } from "../schema/container.js";
import type { Accelerator, HostFacts } from "../schema/facts.js";

const byNumber = ["cann", "corex", "hggc", "neuware"] as const;
const byGraphicsFiles = ["rocm", "dtk", "maca"] as const;
const graphicsFile = /^\/dev\/dri\/renderD/;

/**
 * Undefined for a placement without devices. Programs that place by hand may know no facts: then only NVIDIA's UUIDs
 * tell what they are.
 *
 * @throws BerthError `host-unsuitable` for devices of several types, and for those whose device files are not known
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
  const cards = found.flatMap((device) => device ?? []);
  const numbers = { ids: [...ids], indexes: cards.map(({ index }) => index) };
  if (type === "musa") return { form: "vendorRuntime", acceleratorType: type, ...numbers };
  const numbered = byNumber.find((each) => each === type);
  if (numbered !== undefined)
    return { form: "numberedNodes", acceleratorType: numbered, ...numbers, nodes: nodesOf(cards) };
  const graphics = byGraphicsFiles.find((each) => each === type);
  if (graphics === undefined) return declaredForm(ids, cards, where);
  for (const card of cards) assertGraphicsFile(card, where);
  return { form: "drmNodes", acceleratorType: graphics, ids: [...ids], nodes: nodesOf(cards), groups: groupsOf(cards) };
}

/** The devices that a container sees: those of its placement, and all that the host has where that names none. */
export function visibleDevices(
  placed: readonly string[],
  facts: Pick<HostFacts, "accelerators"> | undefined,
): readonly string[] {
  if (placed.length > 0) return placed;
  const accelerators = (facts?.accelerators ?? []).filter(({ type }) => type !== "cpu" && type !== "metal");
  return accelerators.flatMap(({ uuid, mig }) =>
    mig?.mode === "enabled" ? mig.devices.map((part) => part.uuid) : [uuid],
  );
}

/**
 * Why containers cannot be given any device of a host whose type a file of runner images describes, in one sentence with
 * what to do; undefined where they can, and for types that Berth knows.
 */
export function findUngivable({ accelerators }: Pick<HostFacts, "accelerators">): string | undefined {
  const declared = accelerators.filter((each) => each.declared !== undefined);
  const [first] = declared;
  if (first === undefined || declared.some(({ deviceFiles = [] }) => deviceFiles.length > 0)) return undefined;
  const { where, what, hint } = unnamedFiles(first);
  return `${where}: ${what}; ${hint}`;
}

function unnamedFiles({ type }: Accelerator) {
  return {
    where: `backends/runners/${type}.yaml`,
    what: `containers cannot be given devices of type ${type}, because the file names no device file that the host has`,
    hint: `add \`nodes\`, such as ["/dev/${type}{{index}}"], to its \`devices\``,
  };
}

/** Of a type that Berth does not know its file of runner images tells how containers are given its cards. */
function declaredForm(ids: readonly string[], cards: readonly Accelerator[], where: string): ContainerDevices {
  const [first] = cards;
  if (first?.declared === undefined) throw unfit(where, first?.type ?? "unknown");
  const bare = cards.find(({ deviceFiles = [] }) => deviceFiles.length === 0);
  if (bare !== undefined) throw withoutFiles(bare, where);
  const { variable, driverFiles } = first.declared;
  return {
    ...{ form: "declaredNodes", ids: [...ids] },
    ...{ nodes: nodesOf(cards), groups: groupsOf(cards), driverFiles: driverFiles ?? [] },
    ...(variable === undefined ? {} : { variable }),
  };
}

function withoutFiles(card: Accelerator, where: string): BerthError {
  const { where: file, what, hint } = unnamedFiles(card);
  return new BerthError("host-unsuitable", {
    where,
    what: `${file}: ${what}`,
    got: `no device file of ${card.uuid}`,
    hint: `${hint}, or run it as a process: a version with binary, pipx or manual`,
  });
}

/** Files of root's group alone are none that its user is given that group for. */
function groupsOf(cards: readonly Accelerator[]): number[] {
  const groups = filesOf(cards).map(({ groupId }) => groupId);
  return [...new Set(groups)].filter((group) => group !== 0).sort((one, other) => one - other);
}

function nodesOf(cards: readonly Accelerator[]): string[] {
  return [...new Set(filesOf(cards).map(({ path }) => path))].sort();
}

function filesOf(cards: readonly Accelerator[]): NonNullable<Accelerator["deviceFiles"]> {
  return cards.flatMap(({ deviceFiles = [] }) => deviceFiles);
}

function assertGraphicsFile({ uuid, type, deviceFiles = [], pciBusId }: Accelerator, where: string): void {
  if (deviceFiles.some(({ path }) => graphicsFile.test(path))) return;
  throw new BerthError("host-unsuitable", {
    where,
    what: `the host tells no device file below /dev/dri of ${uuid}, so a container cannot be given it, and no other`,
    got: pciBusId === undefined ? `${type}, without a PCI bus id` : `${type}, PCI bus id ${pciBusId}`,
    expected: "a renderD file in /sys/class/drm that leads to its bus id",
    hint: "look at `berth facts`, update the vendor's driver and tool, or run it as a process: a version with binary, pipx or manual",
  });
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
    expected: `devices of one type: cuda, ${[...byGraphicsFiles, ...byNumber].join(", ")} or musa, or of one whose file in backends/runners tells \`nodes\` that the host has`,
    hint: "run it as a process: a version with binary, pipx or manual",
  });
}
