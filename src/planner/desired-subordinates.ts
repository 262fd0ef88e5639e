/** What instances have on other hosts, as a lock asks for it. Pure. */
import type { HostReference } from "../host/host.js";
import type { LockedDeployment, PlacedHost, PlacedInstance, PlacedSubordinate } from "../schema/lock.js";
import { deviceVariables } from "./device-variables.js";
import { headAddress, ownAddress } from "./ray-environment.js";
import { subordinateHolder } from "./subordinate-name.js";

export interface DesiredSubordinate {
  readonly name: string;
  /** Under which name it claims ports and devices of its host: the same for those that follow each other there. */
  readonly holder: string;
  readonly host: HostReference;
  /** The instance that it belongs to. */
  readonly instance: string;
  readonly placed: PlacedSubordinate;
  readonly release: LockedDeployment;
  /** Name of the resource that it needs. */
  readonly backendVersion: string;
  /** The server's file, beside the engine's executable. */
  readonly executable: string;
  /** What it is in the instance's Ray cluster; undefined for an RPC server. */
  readonly ray?: RayPart | undefined;
  /** Name of the resource with the model's files, which the members of a Ray cluster load by themselves. */
  readonly model?: string | undefined;
  /** Where others reach it: its own host's private address. */
  readonly address: string;
  /** The primary's host; nobody else is let in to an RPC server. */
  readonly admits: string;
  /** Which devices it sees, and its address. */
  readonly env: Readonly<Record<string, string>>;
}

/** A node of an instance's Ray cluster. */
export interface RayPart {
  readonly role: "head" | "member";
  /** Where the head's control store is: `ADDRESS:PORT`. */
  readonly headAddress: string;
  /** Accelerators that the node offers. */
  readonly devices: number;
  /** Nodes of the whole cluster. */
  readonly nodes: number;
}

export interface SubordinatesProblem {
  /** Of the instance. */
  readonly name: string;
  readonly placed: PlacedInstance;
  readonly release: LockedDeployment;
  readonly hosts: Readonly<Record<string, Partial<Pick<PlacedHost, "privateAddress" | "facts">>>>;
  /** The release's backend version on a host. */
  readonly engineOn: (host: string) => { readonly name: string; readonly host: HostReference };
  /** The release's model on a host. */
  readonly modelOn: (host: string) => { readonly name: string };
}

/** In the order in which the primary names them; of a Ray cluster the head first. */
export function desiredSubordinates(problem: SubordinatesProblem): DesiredSubordinate[] {
  const { name: instance, placed: primary, release, hosts, engineOn, modelOn } = problem;
  return (primary.subordinates ?? []).map((placed) => {
    const { host: on, port } = placed;
    const known = hosts[on];
    const [address, admits] = [known?.privateAddress, hosts[primary.host]?.privateAddress];
    const { distributed } = release;
    if (address === undefined || admits === undefined || distributed === undefined)
      throw new Error(`the lock's parts do not fit: subordinate of ${instance} on ${on}`);
    const engine = engineOn(on);
    const holder = subordinateHolder(instance, on);
    const executable = distributed.method === "rpc" ? distributed.executable : "ray";
    const ray = rayPart(problem, placed);
    // The head stands for the instance's own devices.
    const devices = placed.ray === "head" ? primary.devices : placed.devices;
    const node = ray === undefined ? {} : ownAddress(address);
    const env = { ...deviceVariables(devices, known?.facts), ...node, ...release.env };
    return {
      // One that is to follow another stands beside it for a while, on another port.
      ...{ name: `${holder}.${port}`, holder, host: engine.host, instance, placed, release, executable, env },
      ...{ backendVersion: engine.name, address, admits },
      ...(ray === undefined ? {} : { ray }),
      ...(ray?.role === "member" ? { model: modelOn(on).name } : {}),
    };
  });
}

/** Undefined for an RPC server. */
function rayPart({ placed: primary, hosts }: SubordinatesProblem, placed: PlacedSubordinate): RayPart | undefined {
  const address = headAddress(primary, hosts);
  const { ray: role, devices } = placed;
  if (role === undefined || address === undefined) return undefined;
  return {
    role,
    headAddress: address,
    devices: (role === "head" ? primary.devices : devices).length,
    nodes: (primary.subordinates ?? []).length,
  };
}
