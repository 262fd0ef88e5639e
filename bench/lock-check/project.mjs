/** A project with a stack of many deployments and its lock, as `berth lock` writes both. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { stringify } from "yaml";

import { buildLock } from "../../dist/lock/build.js";
import { lockPath, writeLock } from "../../dist/lock/lock-file.js";
import { readProject } from "../../dist/lock/project.js";
import { edges } from "./edges.mjs";
import { makeStack } from "./stack.mjs";

const packageRoot = fileURLToPath(new URL("../..", import.meta.url));

/** @returns the lock's path */
export async function createProject(root, size) {
  await mkdir(join(root, "stacks"), { recursive: true });
  await writeFile(join(root, "Pulumi.yaml"), "name: bench\nruntime: nodejs\n");
  await writeFile(join(root, "stacks", "dev.yaml"), stringify(makeStack(size)));
  const project = readProject(root, join("stacks", "dev.yaml"), packageRoot);
  const { lock } = await buildLock({ ...project, owner: "bench/dev", previous: undefined, resolved: {} }, edges);
  const path = lockPath(project.stackPath);
  await writeLock(path, lock);
  return path;
}
