import { z } from "zod";

import { variable } from "./variable.js";

const argument = z.string().min(1);
const command = z.tuple([argument], argument).describe("Command and its arguments");

const told = z.strictObject({
  command,
  pattern: z
    .string()
    .refine((text) => groupsOf(text)?.count === 1, { error: "expected a regular expression with one group" })
    .describe("Regular expression with one group: the version"),
});

const devicePath = z
  .string()
  .regex(
    /^\/dev\/(?!\.{1,2}(?:\/|$))(?:[A-Za-z0-9_.:-]|\{\{index\}\})+(?:\/(?!\.)(?:[A-Za-z0-9_.:-]|\{\{index\}\})+)*$/,
    {
      error: "expected a path below /dev, in which {{index}} is the number of the device",
    },
  );

/** Values that a pattern may name, beside the number of the device. */
export const deviceValues = ["index", "name", "uuid", "pciBusId", "memory", "driverVersion", "soc"] as const;

/** How devices of a type are found and given to runners that Berth's own code knows nothing of. */
export const declaredDevices = z
  .strictObject({
    find: z
      .strictObject({
        command: command.describe("Command and its arguments, which prints a line for each device"),
        pattern: z
          .string()
          .refine(isDevicePattern, {
            error: `expected a regular expression with the named group index, and others of ${deviceValues.slice(1).join(", ")}`,
          })
          .describe(
            "Regular expression of such a line. Its named groups are index, the number of the device, and what else is told of it: name, uuid, pciBusId, memory with its unit, driverVersion, soc",
          ),
      })
      .describe("How a host's devices are found"),
    driverVersion: told.optional().describe("How the version of the driver is asked, where the line does not tell"),
    runtimeVersion: told.optional().describe("How the version of the vendor's runtime is asked"),
    memoryBytes: z.int().min(1).optional().describe("Memory of each device, bytes, where the line does not tell"),
    nodes: z
      .array(devicePath)
      .default([])
      .describe(
        "Device files that a container of a device is given, as far as there are such; {{index}} is its number",
      ),
    driverFiles: z
      .array(z.string().regex(/^\/[^:\u0000-\u001f\u007f]+$/, { error: "expected an absolute path without a colon" }))
      .default([])
      .describe("Files and folders of the driver that a container is given to read"),
    variable: variable
      .optional()
      .describe("Environment variable that tells programs the numbers of their devices. Default: programs see all"),
  })
  .describe("How devices of a type that Berth's own code does not know are found, and given to runners");

export type DeclaredDevices = z.output<typeof declaredDevices>;

/** The same, with what else the file says of them. */
export interface DeclaredType extends DeclaredDevices {
  readonly type: string;
  readonly vendor: string;
  /** What the devices are called. */
  readonly device: string;
}

function isDevicePattern(text: string): boolean {
  const names = groupsOf(text)?.names ?? [];
  return names.includes("index") && names.every((name) => deviceValues.some((value) => value === name));
}

/** The groups of a regular expression; undefined for a text that is none. */
function groupsOf(text: string): { readonly count: number; readonly names: readonly string[] } | undefined {
  try {
    // With an empty alternative it matches, and then has all of its groups.
    const groups = new RegExp(`${text}|`).exec("");
    return { count: (groups?.length ?? 1) - 1, names: Object.keys(groups?.groups ?? {}) };
  } catch {
    return undefined;
  }
}
