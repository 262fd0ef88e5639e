import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { nearestNames } from "../catalog/nearest.js";
import { BerthError } from "../lib/errors.js";

/** Whether a stack has a file or a lock of its name, or a configuration of Pulumi's. */
export function hasFiles(root: string, stack: string): boolean {
  const files = [`stacks/${stack}.yaml`, `stacks/${stack}.lock.yaml`, `Pulumi.${stack}.yaml`];
  return files.some((file) => existsSync(join(root, file)));
}

/**
 * Refuses a name that no stack has: one is known by its file, its lock, Pulumi's configuration or the environments file.
 *
 * @throws BerthError `file-not-found` with the names that are spelled alike, else all
 */
export async function assertStack(root: string, stack: string): Promise<void> {
  if (hasFiles(root, stack)) return;
  // Every command would load it, and few get here.
  const { readEnvironments } = await import("../lock/project.js");
  const { order = [] } = readEnvironments(root) ?? {};
  if (order.includes(stack)) return;
  const named = (files: readonly string[], form: RegExp) => files.flatMap((file) => form.exec(file)?.[1] ?? []);
  const inStacks = named(await readdir(join(root, "stacks")).catch(() => []), /^([^.]+)(?:\.lock)?\.yaml$/);
  const configured = named(await readdir(root), /^Pulumi\.([^.]+)\.yaml$/);
  const known = [...new Set([...inStacks, ...configured, ...order])].filter((name) => name !== "environments").sort();
  const near = nearestNames(stack, known);
  throw new BerthError("file-not-found", {
    where: `stacks/${stack}.yaml`,
    what: `there is no stack ${stack}`,
    expected: (near.length > 0 ? near : known).join(" or ") || "a stack file stacks/NAME.yaml",
    hint: "a stack's file is stacks/NAME.yaml; `pulumi config set berth:stackFile FILE` names another",
  });
}
