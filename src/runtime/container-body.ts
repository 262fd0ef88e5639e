import {
  defaultDeviceUlimits,
  defaultShmBytes,
  type ContainerIdentity,
  type ContainerSettings,
  type ContainerSpec,
} from "../schema/container.js";
import { grantDevices, type DeviceGrant, type DeviceRequest } from "./container-devices.js";

/**
 * The body of `POST /containers/create`, as far as Berth writes it, in the Engine API's own names
 * (https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerCreate).
 */
export interface ContainerBody {
  readonly Image: string;
  /** Left out for the image's own. */
  readonly Entrypoint?: readonly string[];
  readonly Cmd: readonly string[];
  readonly Env: readonly string[];
  readonly User?: string;
  readonly Labels: Readonly<Record<string, string>>;
  readonly ExposedPorts: Readonly<Record<string, object>>;
  readonly StopSignal?: string;
  readonly StopTimeout: number;
  readonly HostConfig: HostConfig;
  readonly NetworkingConfig?: { readonly EndpointsConfig: Readonly<Record<string, object>> };
}

export interface HostConfig {
  readonly Mounts: readonly BodyMount[];
  readonly PortBindings: Readonly<Record<string, readonly { readonly HostIp: string; readonly HostPort: string }[]>>;
  readonly NetworkMode: string;
  readonly RestartPolicy: { readonly Name: string; readonly MaximumRetryCount: number };
  readonly LogConfig: { readonly Type: string; readonly Config: Readonly<Record<string, string>> };
  readonly Init: boolean;
  readonly IpcMode: string;
  readonly ShmSize?: number;
  readonly Ulimits: readonly { readonly Name: string; readonly Soft: number; readonly Hard: number }[];
  readonly NanoCpus?: number;
  readonly Memory?: number;
  readonly MemorySwap?: number;
  readonly CapAdd: readonly string[];
  readonly CapDrop: readonly string[];
  readonly SecurityOpt: readonly string[];
  readonly Privileged: boolean;
  readonly GroupAdd: readonly string[];
  readonly Devices: readonly BodyDevice[];
  readonly DeviceRequests: readonly DeviceRequest[];
  readonly Runtime?: string;
}

export interface BodyMount {
  readonly Type: "bind";
  readonly Source: string;
  readonly Target: string;
  readonly ReadOnly: boolean;
}

export interface BodyDevice {
  readonly PathOnHost: string;
  readonly PathInContainer: string;
  readonly CgroupPermissions: string;
}

/**
 * Capabilities that Docker gives and no inference engine needs: packets of one's own making, device files, the audit
 * log, other roots, capabilities of files (void without new privileges). The others stay, because images begin as root
 * and then take a user of their own, or read models that belong to somebody else.
 */
const needless = ["AUDIT_WRITE", "MKNOD", "NET_RAW", "SETFCAP", "SYS_CHROOT"];

/**
 * The container of a runner. Equal specs give equal bytes, however their keys are ordered. Secrets are in `Env` alone.
 *
 * @throws BerthError `stack-inconsistent` when the environment says something else of the devices than the settings
 */
export function containerBody({ settings, argv, environment, identity, ...rest }: ContainerSpec): ContainerBody {
  const { entrypoint, user, stopSignal, networks } = settings;
  const grant = grantDevices(settings.devices, environment);
  const port = `${settings.containerPort}/tcp`;
  return {
    Image: settings.image,
    ...(entrypoint === undefined ? {} : { Entrypoint: entrypoint }),
    Cmd: argv,
    Env: Object.entries({ ...environment, ...grant.environment })
      .map(([name, value]) => `${name}=${value}`)
      .sort(),
    ...(user === undefined ? {} : { User: user }),
    Labels: sortKeys({
      ...identityLabels(identity),
      ...(settings.devices === undefined ? {} : { [`${labelPrefix}devices`]: settings.devices.ids.join(",") }),
      ...(settings.privileged === undefined ? {} : { [`${labelPrefix}privileged`]: settings.privileged.why }),
    }),
    ExposedPorts: { [port]: {} },
    ...(stopSignal === undefined ? {} : { StopSignal: stopSignal }),
    StopTimeout: Math.ceil(rest.stopSeconds),
    HostConfig: {
      Mounts: mountsOf(settings, grant),
      PortBindings: { [port]: [{ HostIp: rest.bindAddress, HostPort: String(rest.port) }] },
      NetworkMode: networks[0] ?? "bridge",
      // It comes back after a boot, and stays away when Berth has stopped it.
      RestartPolicy: { Name: "unless-stopped", MaximumRetryCount: 0 },
      LogConfig: {
        Type: "json-file",
        Config: { "max-file": String(settings.logs.files), "max-size": String(settings.logs.maxBytes) },
      },
      // Takes in the processes that an engine leaves behind, and hands signals on.
      Init: true,
      ...limitsOf(settings),
      ...privilegesOf(settings),
      GroupAdd: grant.groups,
      Devices: grant.nodes.map((path) => ({ PathOnHost: path, PathInContainer: path, CgroupPermissions: "rw" })),
      DeviceRequests: grant.requests,
      ...(grant.runtime === undefined ? {} : { Runtime: grant.runtime }),
    },
    ...(networks.length === 0
      ? {}
      : { NetworkingConfig: { EndpointsConfig: Object.fromEntries(networks.map((name) => [name, {}])) } }),
  };
}

export const labelPrefix = "berth.";

/** Labels that tell whose container it is. A part of an identity gives the labels to look for. */
export function identityLabels(identity: Partial<ContainerIdentity>): Readonly<Record<string, string>> {
  return sortKeys(
    Object.fromEntries(Object.entries(identity).map(([name, value]) => [`${labelPrefix}${toLabel(name)}`, value])),
  );
}

/** Docker's own rules for labels want small letters and hyphens. */
function toLabel(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Mounts and not `Binds`, which make an empty folder of root's where there is nothing on the host. */
function mountsOf({ mounts, cache }: ContainerSettings, grant: DeviceGrant): BodyMount[] {
  const all = [
    ...mounts,
    ...(cache === undefined ? [] : [{ ...cache, readOnly: false }]),
    ...grant.driverFiles.map((path) => ({ source: path, target: path, readOnly: true })),
  ];
  return all
    .map(({ source, target, readOnly }): BodyMount => ({
      Type: "bind",
      Source: source,
      Target: target,
      ReadOnly: readOnly,
    }))
    .sort((one, other) => (one.Target < other.Target ? -1 : 1));
}

function limitsOf({ devices, ipc, shmBytes, ulimits, cpus, memoryBytes }: ContainerSettings) {
  const usual = devices === undefined ? {} : defaultDeviceUlimits;
  const limits = Object.entries({ ...usual, ...ulimits }).flatMap(
    ([name, limit]: [string, number | "unlimited" | undefined]) => {
      const most = limit === "unlimited" ? -1 : limit;
      return most === undefined ? [] : [{ Name: name, Soft: most, Hard: most }];
    },
  );
  return {
    IpcMode: ipc,
    ...(ipc === "host" ? {} : { ShmSize: shmBytes ?? defaultShmBytes }),
    Ulimits: limits.sort((one, other) => (one.Name < other.Name ? -1 : 1)),
    ...(cpus === undefined ? {} : { NanoCpus: Math.round(cpus * 1e9) }),
    // As much with swap as without: no swap, in which a model is as good as down.
    ...(memoryBytes === undefined ? {} : { Memory: memoryBytes, MemorySwap: memoryBytes }),
  };
}

function privilegesOf({ privileged, capAdd }: ContainerSettings) {
  if (privileged !== undefined) return { CapAdd: [], CapDrop: [], SecurityOpt: [], Privileged: true };
  return {
    CapAdd: [...capAdd].sort(),
    CapDrop: needless.filter((capability) => !capAdd.includes(capability)),
    SecurityOpt: ["no-new-privileges"],
    Privileged: false,
  };
}

function sortKeys<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).sort(([one], [other]) => (one < other ? -1 : 1)));
}
