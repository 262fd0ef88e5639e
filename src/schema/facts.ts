import { z } from "zod";

export const acceleratorTypes = [
  "cuda",
  "rocm",
  "cann",
  "musa",
  "dtk",
  "corex",
  "maca",
  "hggc",
  "metal",
  "cpu",
] as const;

const accelerator = z
  .strictObject({
    type: z.enum(acceleratorTypes).describe("Accelerator type"),
    name: z.string().describe("Product name"),
    index: z.int().min(0).describe("Index that the driver gives at present; it may change over a reboot"),
    uuid: z.string().describe("Identity that stays"),
    memoryBytes: z.int().describe("Memory in all, bytes"),
    driverVersion: z.string().describe("Driver version"),
  })
  .describe("A GPU or NPU");

const program = z.strictObject({
  path: z.string().describe("Absolute path"),
  version: z.string().describe("Version"),
});

/** What a host is. Only facts that stay the same between two looks; see {@link hostUsage} for the others. */
export const hostFacts = z
  .strictObject({
    os: z.enum(["linux", "darwin"]).describe("Operating system"),
    distribution: z.string().describe("Distribution and version"),
    arch: z.enum(["x64", "arm64"]).describe("Processor architecture"),
    cpus: z.int().describe("Processors"),
    ramBytes: z.int().describe("Memory in all, bytes"),
    diskBytes: z.int().describe("Size of the file system that holds the data directory, bytes"),
    user: z.string().describe("User that Berth works as"),
    home: z.string().describe("Home directory of that user"),
    initSystem: z
      .enum(["systemd", "systemd-user", "other"])
      .describe("systemd for root, its user manager for others, or another"),
    python: program.optional().describe("Python 3.10 or later with venv, when there is one"),
    pipx: program.optional().describe("pipx, when there is one"),
    accelerators: z.array(accelerator).describe("GPUs and NPUs"),
  })
  .describe("Facts of a host");

/** What others use of a host at one moment. It is kept apart, so that a lock never becomes stale by it. */
export const hostUsage = z
  .strictObject({
    listeningPorts: z.array(z.int()).describe("TCP ports that something listens on"),
  })
  .describe("What was in use on a host when the lock was solved");

export type HostFacts = z.output<typeof hostFacts>;
export type HostUsage = z.output<typeof hostUsage>;
export type Accelerator = z.output<typeof accelerator>;
