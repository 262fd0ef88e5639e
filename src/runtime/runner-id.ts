import { posix } from "node:path";

import { sha256 } from "../lib/canonical.js";

/** An instance's name among those of all owners, as its folder has it. No part of it holds a `+`. */
export function instanceFolderName(owner: string, instance: string): string {
  return `${owner.replace("/", "+")}+${instance}`;
}

/** A generation's name to the supervisor, for the eye by the instance's name. @param instance its folder */
export function runnerId(instance: string, generation: string): string {
  const folder = posix.basename(instance);
  return `${folder.slice(folder.lastIndexOf("+") + 1)}.${sha256(folder).slice(0, 8)}.${generation}`;
}

export function generationOf(id: string): string {
  return id.slice(id.lastIndexOf(".") + 1);
}

/** What an instance's folder is named by. */
export function instanceOf(folder: string): { owner: string; instance: string } {
  const [project = "", stack = "", instance = ""] = posix.basename(folder).split("+");
  return { owner: `${project}/${stack}`, instance };
}
