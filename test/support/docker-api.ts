/** Docker's API as a person would use it with curl, for what somebody changes by hand. */
import { Agent, request } from "undici";

import type { ContainerBody } from "../../src/runtime/container-body.js";

const dispatcher = new Agent({ connect: { socketPath: "/var/run/docker.sock" } });

export async function askDocker<T>(method: "GET" | "POST" | "DELETE", path: string, body?: unknown): Promise<T> {
  const response = await request(`http://docker/v1.41${path}`, {
    method,
    dispatcher,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });
  const text = await response.body.text();
  if (response.statusCode >= 300) throw new Error(`${method} ${path}: ${response.statusCode} ${text}`);
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

export interface FoundContainer {
  readonly Id: string;
  readonly Image: string;
  readonly ImageID: string;
  readonly State: string;
  readonly Labels: Readonly<Record<string, string>>;
}

export interface InspectedContainer {
  readonly Id: string;
  readonly Name: string;
  readonly State: { readonly Pid: number; readonly StartedAt: string };
  readonly Config: Omit<ContainerBody, "HostConfig">;
  readonly HostConfig: ContainerBody["HostConfig"];
  readonly NetworkSettings: {
    readonly Ports: Record<string, { HostIp: string; HostPort: string }[] | null>;
    readonly Networks: Record<string, unknown>;
  };
}

/** The containers of a data directory, running or not. */
export function containersOf(dataDir: string): Promise<FoundContainer[]> {
  const filters = JSON.stringify({ label: [`berth.data-dir=${dataDir}`] });
  return askDocker("GET", `/containers/json?all=true&filters=${encodeURIComponent(filters)}`);
}

export function inspectContainer(id: string): Promise<InspectedContainer> {
  return askDocker("GET", `/containers/${id}/json`);
}

/** What happened to a container since a second, as the engine's log has it; empty for nothing. */
export async function containerEvents(id: string, since: number): Promise<string> {
  const filters = encodeURIComponent(JSON.stringify({ container: [id] }));
  const until = Math.floor(Date.now() / 1000);
  const { body } = await request(`http://docker/v1.41/events?since=${since}&until=${until}&filters=${filters}`, {
    dispatcher,
  });
  return body.text();
}

/** What `docker rm` and `docker run` with another setting leave: the same container but for the change. */
export async function recreateContainer(id: string, change: (body: WritableBody) => void): Promise<void> {
  const { Config, HostConfig, Name } = await inspectContainer(id);
  const body = structuredClone({ ...Config, HostConfig }) as WritableBody;
  change(body);
  await askDocker("DELETE", `/containers/${id}?force=true`);
  const made = await askDocker<{ Id: string }>("POST", `/containers/create?name=${Name.slice(1)}`, body);
  await askDocker("POST", `/containers/${made.Id}/start`);
}

type Writable<T> = T extends readonly (infer Item)[]
  ? Writable<Item>[]
  : T extends object
    ? { -readonly [Key in keyof T]: Writable<T[Key]> }
    : T;

export type WritableBody = Writable<ContainerBody>;
