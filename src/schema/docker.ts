import { z } from "zod";

import { name } from "./scalars.js";

const driver = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_./:-]{0,127}$/, { error: "expected the name of a driver, such as bridge or local" });

const options = z
  .record(z.string().min(1), z.string({ error: "expected a string; put numbers and booleans in quotes" }))
  .optional()
  .describe("Options of the driver, name to value. They are shown and kept in plain text, so none may be a secret");

const network = z
  .strictObject({
    driver: driver.optional().describe("Driver. Default bridge"),
    options,
    internal: z.boolean().optional().describe("Without a way to other networks. Default false"),
    ipv6: z.boolean().optional().describe("With IPv6 addresses. Default false"),
  })
  .describe("A network");

const volume = z
  .strictObject({
    driver: driver.optional().describe("Driver. Default local"),
    options,
    keep: z
      .boolean()
      .optional()
      .describe("Leave it on the host when it is taken out of the stack file or the stack is destroyed. Default false"),
  })
  .describe("A volume");

/** Networks and volumes of a host's Docker, by name. Stack files and locks write them alike. */
export const networks = z
  .record(name, network)
  .describe(
    "Docker networks, by name; Docker knows them as berth_PROJECT_STACK_HOST_NAME. Made through @pulumi/docker",
  );

export const volumes = z
  .record(name, volume)
  .describe("Docker volumes, by name; Docker knows them as berth_PROJECT_STACK_HOST_NAME. Made through @pulumi/docker");

export type NetworkEntry = z.output<typeof network>;
export type VolumeEntry = z.output<typeof volume>;
