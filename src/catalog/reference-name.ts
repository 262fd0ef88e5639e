import { lookUp } from "../lib/record.js";

/** The name of a backend, deployment or host as Berth can have it: in lower case, everything else a hyphen. */
export function berthName(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
}

/** Those that Berth calls otherwise, by what {@link berthName} makes of their names. */
const otherNames: Readonly<Record<string, string>> = { voxbox: "vox-box", "ascend-mindie": "mindie" };

/** A backend's name as Berth has it: of a built-in one its own, of any other see {@link berthName}. */
export function backendName(given: string): string {
  const name = berthName(given);
  return lookUp(otherNames, name) ?? name;
}
