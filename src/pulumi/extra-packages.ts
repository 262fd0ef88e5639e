import { fileURLToPath } from "node:url";

import type * as commandPackage from "@pulumi/command";
import type * as dockerPackage from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

import { installPlugins } from "../cli/toolchain-archive.js";
import { findPulumi } from "../cli/toolchain.js";
import { BerthError, systemCode } from "../lib/errors.js";
import { neededPlugins, type DesiredExtras } from "../planner/desired-commands.js";

const packageRoot = fileURLToPath(new URL("../..", import.meta.url));

type PluginName = "command" | "docker";
type Environment = Readonly<Record<string, string | undefined>>;

/** The packages that a stack's commands, networks and volumes need, and the versions of their plugins. */
export interface ExtraPackages {
  readonly command?: { readonly module: typeof commandPackage; readonly version: string | undefined };
  readonly docker?: { readonly module: typeof dockerPackage; readonly version: string | undefined };
}

/** Loads what a stack needs, and nothing for a stack that needs nothing. */
export async function loadExtraPackages(extras: DesiredExtras, environment: Environment): Promise<ExtraPackages> {
  const needed = neededPlugins(extras);
  if (needed.length === 0) return {};
  const versions = await offlineVersions(needed, environment);
  return {
    ...(needed.includes("command")
      ? { command: { module: await load("command", () => import("@pulumi/command")), version: versions.command } }
      : {}),
    ...(needed.includes("docker")
      ? { docker: { module: await load("docker", () => import("@pulumi/docker")), version: versions.docker } }
      : {}),
  };
}

/** Of the folder BERTH_TOOLCHAIN; its plugins are then installed. What it does not have, Pulumi downloads itself. */
async function offlineVersions(
  wanted: readonly PluginName[],
  environment: Environment,
): Promise<Readonly<Partial<Record<PluginName, string>>>> {
  if ((environment.BERTH_TOOLCHAIN ?? "") === "") return {};
  const report = (line: string) => void pulumi.log.info(line);
  const toolchain = await findPulumi({ environment, packageRoot, report });
  if (toolchain === undefined) return {};
  const { versions, missing } = await installPlugins(toolchain, wanted, { environment, report });
  if (missing.length === 0) return versions;
  throw new BerthError("plugin-missing", {
    what: "Pulumi's plugin for what the stack declares is neither installed nor in the folder BERTH_TOOLCHAIN",
    got: `no ${missing.join(", ")}`,
    expected: missing.map((name) => `pulumi-resource-${name}-vVERSION-OS-ARCH.tar.gz`).join(", "),
    hint: "put the archive there as Pulumi publishes it, or unset BERTH_TOOLCHAIN, and Pulumi downloads it",
  });
}

async function load<T>(name: PluginName, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if (systemCode(error) !== "ERR_MODULE_NOT_FOUND") throw error;
    const declared = name === "command" ? "`setup` or `verify` commands" : "`networks` or `volumes`";
    throw new BerthError("plugin-missing", {
      what: `the stack declares ${declared}, and the npm package @pulumi/${name} is not installed`,
      hint: `npm install @pulumi/${name}`,
    });
  }
}
