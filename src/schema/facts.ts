import { z } from "zod";

import { acceleratorType, word } from "./accelerator-type.js";

/** A part of an NVIDIA GPU that programs can be given instead of the whole. */
const migDevice = z
  .strictObject({
    uuid: z.string().describe("Identity by which programs are given it"),
    index: z.int().min(0).describe("Index on its GPU"),
    gpuInstance: z.int().min(0).describe("GPU instance that it belongs to"),
    computeInstance: z.int().min(0).describe("Compute instance in it"),
    profile: z.string().optional().describe("Profile, such as 1g.10gb, when it is told"),
    memoryBytes: z.int().min(0).describe("Memory in all, bytes"),
  })
  .describe("A MIG device");

const deviceFile = z
  .strictObject({
    path: z.string().describe("Path on the host"),
    groupId: z.int().min(0).describe("Number of the group that owns it"),
  })
  .describe("A device file");

export const accelerator = z
  .strictObject({
    type: acceleratorType.describe("Accelerator type"),
    vendor: word.optional().describe("Vendor"),
    name: z.string().describe("Product name"),
    index: z.int().min(0).describe("Index that the driver gives at present; it may change over a reboot"),
    uuid: z.string().describe("Identity that stays, as far as `identifiedBy` allows"),
    identifiedBy: z
      .enum(["uuid", "pciBusId", "index"])
      .optional()
      .describe(
        "What `uuid` holds: the vendor's identity (left out too), the PCI bus id, which stays while the card stays in its slot, or the index, which may change over a reboot",
      ),
    pciBusId: z.string().optional().describe("PCI bus id, as domain:bus:device.function"),
    memoryBytes: z.int().describe("Memory in all, bytes; 0 when it is not told"),
    unifiedMemory: z.boolean().optional().describe("Whether it works in the memory of the host; left out where not"),
    driverVersion: z.string().describe("Driver version; `unknown` when it is not told"),
    runtimeVersion: z
      .string()
      .optional()
      .describe("Newest version of the vendor's runtime (CUDA, ROCm, CANN, MACA) that the host is known to run"),
    computeCapability: z.string().optional().describe("CUDA compute capability, such as 9.0"),
    llvmTarget: z.string().optional().describe("LLVM target, such as gfx942"),
    soc: z.string().optional().describe("Ascend SoC, such as Ascend910B3"),
    numaNode: z.int().min(0).optional().describe("NUMA node that it is attached to"),
    linkGroup: z
      .int()
      .min(0)
      .optional()
      .describe("Accelerators of one number are joined by the vendor's links: NVLink, XGMI, HCCS, MetaXLink"),
    pcieGroup: z.int().min(0).optional().describe("Accelerators of one number are behind the same PCIe switches"),
    mig: z
      .strictObject({
        mode: z.enum(["enabled", "disabled"]).describe("MIG mode"),
        devices: z.array(migDevice).describe("MIG devices"),
      })
      .optional()
      .describe("Left out where there is no MIG"),
    deviceFiles: z
      .array(deviceFile)
      .optional()
      .describe(
        "Device files by which containers are given it, beside those that its type and index name; they may change over a reboot",
      ),
    declared: z
      .strictObject({
        variable: z.string().optional().describe("Variable that tells programs the numbers of their devices"),
        driverFiles: z.array(z.string()).optional().describe("What of the driver containers are given"),
      })
      .optional()
      .describe(
        "How runners are given it, where its type's own file says that: then `deviceFiles` has all of its files",
      ),
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
    kernel: z.string().optional().describe("Release of the kernel"),
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
    containerEngine: z
      .strictObject({
        engine: z.enum(["docker", "podman"]).describe("The engine"),
        version: z.string().describe("Version of the engine"),
        apiVersion: z.string().optional().describe("Newest version of its interface"),
        problem: z
          .strictObject({ what: z.string().describe("What is wrong"), hint: z.string().describe("What to do") })
          .optional()
          .describe("Why containers cannot be run with it by this user"),
      })
      .optional()
      .describe("Container engine, when there is one that answers"),
    haproxy: program.optional().describe("HAProxy, when there is one"),
    accelerators: z.array(accelerator).describe("GPUs and NPUs"),
  })
  .describe("Facts of a host");

const acceleratorProcess = z
  .strictObject({
    pid: z.int().min(1).describe("Process id"),
    name: z.string().describe("Name of the program, without its arguments"),
    memoryBytes: z.int().min(0).optional().describe("Memory that it uses on the accelerator, bytes, when it is told"),
    instance: z
      .string()
      .optional()
      .describe("The instance that it belongs to, as DEPLOYMENT-NUMBER; left out for a process that is not Berth's"),
  })
  .describe("A process on an accelerator");

export const acceleratorUsage = z
  .strictObject({
    uuid: z.string().describe("Identity of the accelerator, or of the MIG device"),
    memoryUsedBytes: z.int().min(0).optional().describe("Memory in use, bytes, when it is told"),
    processes: z
      .array(acceleratorProcess)
      .optional()
      .describe("Who uses it; left out where the vendor's tool does not tell"),
  })
  .describe("What is in use of an accelerator");

const holder = {
  owner: z.string().describe("Whose it is, as project/stack"),
  instance: z.string().describe("Name of the instance"),
};

/** A port or device that an instance has, or is about to have. */
export const hostClaim = z
  .union([
    z.strictObject({ port: z.int().min(1).max(65_535).describe("TCP port"), ...holder }),
    z.strictObject({
      device: z.string().describe("Identity of an accelerator, or of a MIG device"),
      bytes: z
        .int()
        .min(1)
        .optional()
        .describe("So much of its memory, beside others who have a part. Left out: all of it"),
      ...holder,
    }),
  ])
  .describe("What an instance has of a host: a port, a device, or a part of a device's memory");

/** What others use of a host at one moment. It is kept apart, so that a lock never becomes stale by it. */
export const hostUsage = z
  .strictObject({
    listeningPorts: z.array(z.int()).describe("TCP ports that something listens on"),
    accelerators: z.array(acceleratorUsage).optional().describe("Use of the GPUs and NPUs"),
    claims: z.array(hostClaim).optional().describe("Ports and devices that instances have, of any stack"),
  })
  .describe("What was in use on a host when the lock was solved");

const hostWarning = z
  .strictObject({
    subject: z.enum(["containerEngine", "accelerators"]).describe("What it is about"),
    text: z.string().describe("What could not be found out, and why"),
  })
  .describe("Something that could not be found out");

/** What `berth facts --json` prints of each host, by its name. */
export const hostReport = z
  .discriminatedUnion("reachable", [
    z.strictObject({
      reachable: z.literal(true),
      labels: z.record(z.string(), z.string()).describe("Labels: what the host is, and what the stack gives it"),
      facts: hostFacts,
      usage: hostUsage,
      warnings: z.array(hostWarning).describe("What could not be found out"),
    }),
    z.strictObject({
      reachable: z.literal(false),
      problem: z.string().describe("Why nothing is known of the host"),
    }),
  ])
  .describe("What is known of a host");

export type HostFacts = z.output<typeof hostFacts>;
export type HostUsage = z.output<typeof hostUsage>;
export type HostClaim = z.output<typeof hostClaim>;
export type HostReport = z.output<typeof hostReport>;
export type HostWarning = z.output<typeof hostWarning>;
export type Accelerator = z.output<typeof accelerator>;
export type AcceleratorUsage = z.output<typeof acceleratorUsage>;
export type AcceleratorProcess = z.output<typeof acceleratorProcess>;
export type Vendor = string;
