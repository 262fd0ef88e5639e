import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { parse } from "yaml";

import { stackFile } from "../schema/stack.js";

type PluginName = "command" | "docker";

/** Pulumi's plugins that a project's stack files need. A file that cannot be read wants none: its lock tells why. */
export function wantedPlugins(root: string): PluginName[] {
  const wanted = new Set<PluginName>();
  for (const file of stackFiles(join(root, "stacks"))) {
    for (const name of pluginsOf(readFileSync(file, "utf8"))) wanted.add(name);
  }
  return [...wanted].sort();
}

function pluginsOf(text: string): PluginName[] {
  const parsed = stackFile.safeParse(read(text));
  if (!parsed.success) return [];
  const hosts = Object.values(parsed.data.hosts);
  const hasCommands =
    hosts.some(({ setup }) => isFilled(setup)) ||
    Object.values(parsed.data.deployments).some(({ verify }) => isFilled(verify));
  const hasDocker = hosts.some(({ networks, volumes }) => isFilled(networks) || isFilled(volumes));
  return [...(hasCommands ? (["command"] as const) : []), ...(hasDocker ? (["docker"] as const) : [])];
}

function isFilled(entries: object | undefined): boolean {
  return Object.keys(entries ?? {}).length > 0;
}

function read(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}

function stackFiles(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((file) => /^[a-z0-9-]+\.yaml$/.test(file))
      .map((file) => join(folder, file));
  } catch {
    return [];
  }
}
