import { resolve } from "node:path";

import type * as dockerPackage from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

import { dockerSocket } from "../host/docker-socket.js";
import type { CommandHost, DesiredDocker } from "../planner/desired-commands.js";
import { dockerName } from "../planner/docker-name.js";

export interface DockerSurroundings {
  /** Loaded where a stack declares networks or volumes, and nowhere else. */
  readonly module: typeof dockerPackage;
  /** The plugin's version; undefined for the package's own. */
  readonly version: string | undefined;
  /** What the host's networks and volumes wait for. */
  readonly dependsOn: pulumi.Resource[];
  readonly projectRoot: string;
  readonly parent: pulumi.Resource;
}

/** The networks and volumes of one host's Docker. Gives the networks, by Docker's names. */
export function createDockerObjects(
  { name, host, networks, volumes }: DesiredDocker,
  { module, version, dependsOn, projectRoot, parent }: DockerSurroundings,
): Map<string, pulumi.Resource> {
  const made = new Map<string, pulumi.Resource>();
  const pinned = version === undefined ? {} : { version };
  const provider = new module.Provider(name, dockerAddress(host, projectRoot), { parent, dependsOn, ...pinned });
  const options = { parent: provider, provider, dependsOn, ...pinned };
  for (const { name: resource, key, entry } of networks) {
    const { driver, options: driverOptions, internal, ipv6 } = entry;
    const settings = { driver: driver ?? "bridge", internal: internal ?? false, ipv6: ipv6 ?? false };
    const more = driverOptions === undefined ? {} : { options: driverOptions };
    const args = { name: objectName(host, key), labels: labelsOf(host, key), ...settings, ...more };
    made.set(args.name, new module.Network(resource, args, options));
  }
  for (const { name: resource, key, entry } of volumes) {
    const { driver, options: driverOptions, keep = false } = entry;
    const more = driverOptions === undefined ? {} : { driverOpts: driverOptions };
    const args = { name: objectName(host, key), labels: labelsOf(host, key), driver: driver ?? "local", ...more };
    new module.Volume(resource, args, { ...options, retainOnDelete: keep });
  }
  return made;
}

function objectName(host: CommandHost, key: string): string {
  return dockerName({ project: pulumi.getProject(), stack: pulumi.getStack(), host: host.name, key });
}

function labelsOf(host: CommandHost, key: string): { label: string; value: string }[] {
  const owner = `${pulumi.getProject()}/${pulumi.getStack()}`;
  const labels = { "berth.host": host.name, "berth.name": key, "berth.owner": owner };
  return Object.entries(labels).map(([label, value]) => ({ label, value }));
}

/** How the plugin reaches a host's Docker: by its socket here, elsewhere by the system's ssh with Berth's strictness. */
function dockerAddress(host: CommandHost, projectRoot: string): { host: string; sshOpts?: string[] } {
  if (host.connection === "local") return { host: `unix://${dockerSocket}` };
  const { address, user, port, configFile } = host.ssh;
  const place = address.includes(":") ? `[${address}]` : address;
  const login = user === undefined ? "" : `${encodeURIComponent(user)}@`;
  return {
    host: `ssh://${login}${place}${port === undefined ? "" : `:${port}`}`,
    sshOpts: [
      ...(configFile === undefined ? [] : ["-F", resolve(projectRoot, configFile)]),
      ...["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=15"],
      ...["-o", "ClearAllForwardings=yes", "-o", "ForwardAgent=no", "-o", "UpdateHostKeys=no"],
    ],
  };
}
