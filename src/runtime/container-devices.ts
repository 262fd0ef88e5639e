import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import type { ContainerDevices } from "../schema/container.js";

export interface DeviceRequest {
  readonly Driver: string;
  readonly DeviceIDs: readonly string[];
  readonly Capabilities?: readonly (readonly string[])[];
}

/** What a container is given so that it sees its accelerators, and no others. */
export interface DeviceGrant {
  readonly requests: readonly DeviceRequest[];
  /** Device files, at the same paths in the container. */
  readonly nodes: readonly string[];
  /** What of the host's driver programs need in the container. */
  readonly driverFiles: readonly string[];
  /** Groups that own the device files. */
  readonly groups: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** The vendor's container runtime, by the name that its installer gives it. */
  readonly runtime: string | undefined;
}

/** Devices of types that Berth itself knows. */
export type KnownDevices = Exclude<ContainerDevices, { form: "declaredNodes" }>;
type AcceleratorType = KnownDevices["acceleratorType"];

/** How a type of accelerator is given to containers. */
interface DeviceRow {
  /** Device files that all containers with such a card share, and have to be there. Others are in `nodes` of the settings. */
  readonly shared: readonly string[];
  /** The card's own device files, where its number names them. */
  readonly numbered: (index: number) => readonly string[];
  /** Files and folders of the driver that have to be there. */
  readonly driverFiles: readonly string[];
  /** Groups by names that every image has. */
  readonly groups: readonly string[];
  /** Variable by which the vendor's container runtime, when it is the engine's default, chooses cards of the host. */
  readonly hostVariable: string | undefined;
  /** Variables by which programs choose among the cards that they see: those of the container, counted from 0. */
  readonly variables: readonly string[];
  /** Further variables, and what they are. */
  readonly constants: Readonly<Record<string, string>>;
}

const none: DeviceRow = {
  shared: [],
  numbered: () => [],
  driverFiles: [],
  groups: [],
  hostVariable: undefined,
  variables: [],
  constants: {},
};

/** A group that images of every distribution have. Of others, such as `render`, the host's number counts. */
const drmGroups = ["video"];

/**
 * One row for each type. Device files and variables: GPUStack's runtime library, `deployer/cdi` and `envs.py`
 * (github.com/gpustack/runtime, 88026d6); which of them go without a container runtime: the vendors' prerequisites of
 * GPUStack's operator. GPUStack itself gives every container all devices, by `privileged`.
 */
const rows: Readonly<Record<AcceleratorType, DeviceRow>> = {
  // https://docs.docker.com/reference/api/engine/version/v1.41/ (DeviceRequest). Programs count GPUs as nvidia-smi does.
  cuda: { ...none, variables: ["CUDA_VISIBLE_DEVICES"], constants: { CUDA_DEVICE_ORDER: "PCI_BUS_ID" } },
  // https://rocm.docs.amd.com/projects/install-on-linux/en/latest/how-to/docker.html ("Restrict a container to GPUs")
  rocm: { ...none, shared: ["/dev/kfd"], groups: drmGroups, variables: ["HIP_VISIBLE_DEVICES"] },
  // Mounts: https://docs.vllm.ai/projects/ascend (installation). ASCEND_VISIBLE_DEVICES is the Ascend Docker Runtime's.
  cann: {
    ...none,
    shared: ["/dev/davinci_manager", "/dev/devmm_svm", "/dev/hisi_hdc"],
    numbered: (index) => [`/dev/davinci${index}`],
    driverFiles: [
      "/etc/ascend_install.info",
      "/usr/local/Ascend/driver/lib64",
      "/usr/local/Ascend/driver/version.info",
      "/usr/local/bin/npu-smi",
      "/usr/local/dcmi",
    ],
    hostVariable: "ASCEND_VISIBLE_DEVICES",
    variables: ["ASCEND_RT_VISIBLE_DEVICES", "NPU_VISIBLE_DEVICES"],
  },
  // Without the vendor's runtime there are no libraries of its driver. GPUStack spells the variable METHERDS_, which the
  // runtime does not read (https://docs.sglang.ai, platform MUSA).
  musa: {
    ...none,
    hostVariable: "MTHREADS_VISIBLE_DEVICES",
    variables: ["CUDA_VISIBLE_DEVICES", "MUSA_VISIBLE_DEVICES"],
    constants: { MTHREADS_DRIVER_CAPABILITIES: "compute,utility" },
  },
  // The driver's user-space half is in /opt/hyhal (Hygon's `docker run` lines).
  dtk: {
    ...none,
    shared: ["/dev/kfd", "/dev/mkfd"],
    driverFiles: ["/opt/hyhal"],
    groups: drmGroups,
    variables: ["HIP_VISIBLE_DEVICES"],
  },
  corex: {
    ...none,
    shared: ["/dev/itrctl"],
    numbered: (index) => [`/dev/iluvatar${index}`],
    hostVariable: "IX_VISIBLE_DEVICES",
    variables: ["CUDA_VISIBLE_DEVICES"],
  },
  maca: {
    ...none,
    shared: ["/dev/mxcd"],
    groups: drmGroups,
    variables: ["CUDA_VISIBLE_DEVICES"],
  },
  // The vendor's runtime reads NVIDIA_VISIBLE_DEVICES; device files go without it.
  hggc: {
    ...none,
    shared: ["/dev/alixpu", "/dev/alixpu_ctl"],
    numbered: (index) => [`/dev/alixpu_ppu${index}`],
    variables: ["CUDA_VISIBLE_DEVICES"],
  },
  neuware: {
    ...none,
    shared: ["/dev/cambricon_ctl"],
    numbered: (index) => [`/dev/cambricon_dev${index}`],
    hostVariable: "CAMBRICON_VISIBLE_DEVICES",
    variables: ["MLU_VISIBLE_DEVICES"],
  },
};

/** Names that vendors' installers give their container runtimes. */
const runtimes = { musa: "mthreads" } as const;

/**
 * Images for CUDA ask for all GPUs by this variable, and get them where NVIDIA's runtime is the engine's default
 * (https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html). `void` is none.
 */
const nvidiaVariable = "NVIDIA_VISIBLE_DEVICES";

/**
 * What a container of these devices is given; one without devices is kept from having any.
 *
 * @throws BerthError `stack-inconsistent` when its environment sets one of the variables otherwise
 */
export function grantDevices(
  devices: ContainerDevices | undefined,
  environment: Readonly<Record<string, string>>,
): DeviceGrant {
  const grant = grantAny(devices);
  for (const [name, value] of Object.entries(grant.environment)) {
    if ((lookUp(environment, name) ?? value) !== value) throw setTwice(name, value);
  }
  return grant;
}

const nothing: DeviceGrant = {
  requests: [],
  nodes: [],
  driverFiles: [],
  groups: [],
  environment: { [nvidiaVariable]: "void" },
  runtime: undefined,
};

function grantAny(devices: ContainerDevices | undefined): DeviceGrant {
  if (devices === undefined) return nothing;
  return devices.form === "declaredNodes" ? grantDeclared(devices) : grantOf(devices);
}

/** All that it is given was told by the file of its type, and decided by the planner. */
function grantDeclared(devices: Extract<ContainerDevices, { form: "declaredNodes" }>): DeviceGrant {
  const variables = devices.variable === undefined ? [] : [devices.variable];
  const environment = { ...nothing.environment, ...variablesOf(devices, { ...none, variables }) };
  const { driverFiles } = devices;
  return {
    ...nothing,
    environment,
    driverFiles,
    nodes: unique(devices.nodes),
    groups: unique(devices.groups.map(String)),
  };
}

function grantOf(devices: KnownDevices): DeviceGrant {
  const row = rows[devices.acceleratorType];
  const { driverFiles } = row;
  const own = { ...nothing.environment, ...variablesOf(devices, row) };
  switch (devices.form) {
    case "request": {
      // By identity, never by number: since Docker 27.3 neither is no GPU at all.
      const request = { Driver: "nvidia", DeviceIDs: devices.ids, Capabilities: [["gpu"]] };
      const environment = { ...own, [nvidiaVariable]: devices.ids.join(",") };
      return { ...nothing, environment, requests: [request] };
    }
    case "cdi": {
      const request = { Driver: "cdi", DeviceIDs: devices.ids.map((id) => `nvidia.com/gpu=${id}`) };
      return { ...nothing, environment: own, requests: [request] };
    }
    case "drmNodes": {
      const nodes = [...row.shared, ...devices.nodes];
      // A small image may have no group of the name.
      const groups = devices.groups.length === 0 ? row.groups : devices.groups.map(String);
      return { ...nothing, environment: own, driverFiles, nodes: unique(nodes), groups: unique(groups) };
    }
    case "numberedNodes": {
      const nodes = [...row.shared, ...devices.indexes.flatMap(row.numbered), ...devices.nodes];
      return { ...nothing, environment: own, driverFiles, nodes: unique(nodes) };
    }
    case "vendorRuntime":
      return { ...nothing, environment: own, runtime: runtimes[devices.acceleratorType] };
  }
}

function variablesOf(devices: ContainerDevices, { hostVariable, variables, constants }: DeviceRow) {
  const counted = devices.ids.map((_, index) => index).join(",");
  return {
    ...(hostVariable === undefined || !("indexes" in devices) ? {} : { [hostVariable]: devices.indexes.join(",") }),
    ...Object.fromEntries(variables.map((name) => [name, counted])),
    ...constants,
  };
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)].sort();
}

function setTwice(name: string, value: string): BerthError {
  return new BerthError("stack-inconsistent", {
    where: name,
    what: "the environment of a container sets a variable by which Berth gives it its devices",
    got: "another value",
    expected: value,
    hint: "take it out of `env` and `secretEnv`",
  });
}
