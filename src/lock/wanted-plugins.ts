import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { parse } from "yaml";

import { isMap, mergeStacks } from "../schema/layers.js";
import { stackFileName } from "../schema/stack.js";

type PluginName = "command" | "docker";

/** Pulumi's plugins that a project's stack files need. A file that cannot be read wants none: its lock tells why. */
export function wantedPlugins(root: string): PluginName[] {
  const wanted = new Set<PluginName>();
  const folder = join(root, "stacks");
  for (const file of stackFiles(folder)) {
    for (const name of pluginsOf(readLayers(folder, file))) wanted.add(name);
  }
  return [...wanted].sort();
}

/** What a stack file says with those that it extends, as it is written. */
function readLayers(folder: string, file: string): unknown {
  const layers: unknown[] = [];
  const seen = new Set<string>();
  for (let next: unknown = file; typeof next === "string" && !seen.has(next);) {
    seen.add(next);
    const layer = read(join(folder, next));
    layers.unshift(layer);
    next = isMap(layer) && stackFileName.safeParse(layer.extends).success ? layer.extends : undefined;
  }
  return mergeStacks(layers);
}

function pluginsOf(stack: unknown): PluginName[] {
  const { hosts, hostDefaults, deployments } = isMap(stack) ? stack : {};
  const says = (entries: readonly unknown[], field: string) =>
    entries.some((entry) => isMap(entry) && isFilled(entry[field]));
  const ofHosts = [hostDefaults, ...valuesOf(hosts)];
  const hasCommands = says(ofHosts, "setup") || says(valuesOf(deployments), "verify");
  const hasDocker = says(ofHosts, "networks") || says(ofHosts, "volumes");
  return [...(hasCommands ? (["command"] as const) : []), ...(hasDocker ? (["docker"] as const) : [])];
}

function valuesOf(entries: unknown): unknown[] {
  return isMap(entries) ? Object.values(entries) : [];
}

function isFilled(entries: unknown): boolean {
  return isMap(entries) && Object.keys(entries).length > 0;
}

function read(path: string): unknown {
  try {
    return parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

/** Their names. */
function stackFiles(folder: string): string[] {
  try {
    return readdirSync(folder).filter((file) => /^[a-z0-9-]+\.yaml$/.test(file));
  } catch {
    return [];
  }
}
