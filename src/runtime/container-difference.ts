import { canonicalJson, type Json } from "../lib/canonical.js";
import { labelPrefix, type ContainerBody, type HostConfig } from "./container-body.js";

type Told<T> = { readonly [Key in keyof T]?: T[Key] | null };

/** A body as an engine tells it: with what the image has beside it, and with `null` for much that is not there. */
export type SeenBody = Omit<Told<ContainerBody>, "HostConfig"> & { readonly HostConfig?: Told<HostConfig> | null };

/**
 * What of a container is not as it was written, by names for people, in the order of the table below. What an engine
 * adds by itself is no difference: its own defaults, and the image's variables, labels, ports, user and command where
 * the body leaves them to it. Names only, never values: some are secrets.
 */
export function differences(body: ContainerBody, seen: SeenBody): string[] {
  const names = fields.filter(([, of]) => canonicalJson(of(seen, body)) !== canonicalJson(of(body, body)));
  return [...new Set(names.map(([name]) => name))];
}

/** A part of a body in a form in which equal parts are equal. `written` tells what was left to the image or the engine. */
type Part = (body: SeenBody, written: ContainerBody) => Json;

const fields: readonly (readonly [name: string, part: Part])[] = [
  ["image", ({ Image }) => Image ?? ""],
  ["entrypoint", ({ Entrypoint }, written) => (written.Entrypoint === undefined ? [] : (Entrypoint ?? []))],
  ["command", ({ Cmd }, written) => (hasOwnCommand(written) ? (Cmd ?? []) : [])],
  ["environment", ({ Env }, written) => sorted((Env ?? []).filter((entry) => namesOf(written).has(nameOf(entry))))],
  ["user", ({ User }, written) => (written.User === undefined ? "" : (User ?? ""))],
  ["labels", ({ Labels }, written) => ownLabels(Labels ?? {}, written)],
  ["stop signal", ({ StopSignal }, written) => (written.StopSignal === undefined ? "" : (StopSignal ?? ""))],
  ["stop timeout", ({ StopTimeout }) => StopTimeout ?? null],
  [
    "mounts",
    hostPart(({ Mounts }) =>
      sortedBy(
        "Target",
        (Mounts ?? []).map((mount) => told(mount, mountKeys)),
      ),
    ),
  ],
  ["ports", hostPart(({ PortBindings }) => told(PortBindings))],
  ["network", hostPart(({ NetworkMode }) => NetworkMode ?? "")],
  ["network", ({ NetworkingConfig }, written) => networksOf(NetworkingConfig ?? written.NetworkingConfig)],
  ["restart policy", hostPart(({ RestartPolicy }) => told(RestartPolicy))],
  ["log rotation", hostPart(({ LogConfig }) => told(LogConfig))],
  ["init process", hostPart(({ Init }) => Init ?? false)],
  ["shared memory", hostPart(({ IpcMode }) => IpcMode ?? "")],
  ["shared memory", hostPart(({ ShmSize }, written) => (written.ShmSize === undefined ? 0 : (ShmSize ?? 0)))],
  ["limits of processes", hostPart(ownUlimits)],
  ["processor limit", hostPart(({ NanoCpus }) => NanoCpus ?? 0)],
  ["memory limit", hostPart(({ Memory }) => Memory ?? 0)],
  ["memory limit", hostPart(({ MemorySwap }, written) => swapLimit(MemorySwap, written))],
  ["capabilities", hostPart(({ CapAdd }) => sorted((CapAdd ?? []).map(shortCapability)))],
  ["capabilities", hostPart(({ CapDrop }) => sorted((CapDrop ?? []).map(shortCapability)))],
  ["privileges", hostPart(({ Privileged }) => Privileged ?? false)],
  ["privileges", hostPart(({ SecurityOpt }) => sorted((SecurityOpt ?? []).filter(isAsked)))],
  ["groups", hostPart(({ GroupAdd }) => sorted(GroupAdd ?? []))],
  [
    "devices",
    hostPart(({ Devices }) =>
      sortedBy(
        "PathInContainer",
        (Devices ?? []).map((device) => told(device)),
      ),
    ),
  ],
  ["devices", hostPart(({ DeviceRequests }) => (DeviceRequests ?? []).map((request) => told(request, requestKeys)))],
  ["devices", hostPart(({ Runtime }, written) => (written.Runtime === undefined ? "" : (Runtime ?? "")))],
  ...untouchedFields(),
];

const mountKeys = ["Type", "Source", "Target", "ReadOnly"] as const;
const requestKeys = ["Driver", "DeviceIDs", "Capabilities"] as const;

function hostPart(part: (host: Told<HostConfig>, written: HostConfig) => Json): Part {
  return ({ HostConfig }, written) => part(HostConfig ?? {}, written.HostConfig);
}

/** What Berth never writes, and `docker update`, or whoever made the container anew, may have. */
function untouchedFields(): (readonly [name: string, part: Part])[] {
  const names = {
    mounts: ["Binds", "VolumesFrom"],
    "processor limit": ["CpuShares", "CpuPeriod", "CpuQuota", "CpusetCpus", "CpusetMems"],
    "memory limit": ["MemoryReservation"],
    privileges: ["PidMode", "UTSMode", "UsernsMode"],
    devices: ["DeviceCgroupRules"],
    "restart policy": ["AutoRemove"],
    ports: ["PublishAllPorts"],
  };
  return Object.entries(names).map(([name, keys]) => [name, hostPart((host) => told(host, keys))]);
}

/** The engine's bridge is what a container has without any. */
function networksOf(config: ContainerBody["NetworkingConfig"]): Json {
  return sorted(Object.keys(config?.EndpointsConfig ?? {}).filter((name) => name !== "bridge"));
}

/** Without an entrypoint and arguments of its own a container has the image's. */
function hasOwnCommand({ Entrypoint, Cmd }: ContainerBody): boolean {
  return Entrypoint !== undefined || Cmd.length > 0;
}

function namesOf({ Env }: ContainerBody): ReadonlySet<string> {
  return new Set(Env.map(nameOf));
}

function nameOf(entry: string): string {
  return entry.slice(0, entry.indexOf("="));
}

/** Berth's own are all of them its own; of others only those that it wrote. */
function ownLabels(labels: Readonly<Record<string, string>>, written: ContainerBody): Json {
  const own = Object.entries(labels).filter(
    ([name]) => name.startsWith(labelPrefix) || Object.hasOwn(written.Labels, name),
  );
  return Object.fromEntries(own);
}

/** An engine adds those that its configuration has as defaults. */
function ownUlimits({ Ulimits }: Told<HostConfig>, written: HostConfig): Json {
  const names = new Set(written.Ulimits.map(({ Name }) => Name));
  return sortedBy(
    "Name",
    (Ulimits ?? []).filter(({ Name }) => names.has(Name)).map((limit) => told(limit)),
  );
}

/** -1 is what an engine makes of it whose kernel cannot limit swap. */
function swapLimit(limit: number | null | undefined, { MemorySwap }: HostConfig): Json {
  return limit === -1 ? (MemorySwap ?? 0) : (limit ?? 0);
}

/** Engines write them with and without the prefix. */
function shortCapability(name: string): string {
  return name.replace(/^CAP_/, "");
}

/** Of a privileged container, and one with the host's memory, an engine itself switches SELinux off. */
function isAsked(option: string): boolean {
  return option !== "label=disable";
}

function sorted(texts: readonly string[]): Json {
  return [...texts].sort();
}

function sortedBy(key: string, items: readonly Members[]): Json {
  return [...items].sort((one, other) => (canonicalJson(one[key] ?? "") < canonicalJson(other[key] ?? "") ? -1 : 1));
}

type Members = Readonly<Record<string, Json>>;

/** An object's members that say something, of all or of those named: engines write empty ones or leave them out. */
function told(value: object | null | undefined, keys?: readonly string[]): Members {
  const members = Object.entries((value ?? {}) as Members);
  return Object.fromEntries(members.filter(([key, member]) => !isEmpty(member) && keys?.includes(key) !== false));
}

function isEmpty(value: Json): boolean {
  if (typeof value !== "object" || value === null) return !value;
  return Object.keys(value).length === 0;
}
