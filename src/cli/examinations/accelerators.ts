import type { HostSurvey } from "../../host/survey.js";
import { formatBytes } from "../../lib/format.js";
import type { HostFacts } from "../../schema/facts.js";
import type { Finding } from "./finding.js";

interface Vendor {
  readonly name: string;
  /** What its driver makes. */
  readonly device?: string;
  /** The tools that tell of its accelerators, either one. */
  readonly tools: readonly string[];
  readonly pci?: string;
  /** Whether its devices are a group's, and not everybody's. */
  readonly byGroup?: boolean;
}

const vendors: readonly Vendor[] = [
  { name: "NVIDIA", device: "/proc/driver/nvidia/version", tools: ["nvidia-smi"], pci: "0x10de" },
  { name: "AMD", device: "/dev/kfd", tools: ["amd-smi", "rocm-smi"], pci: "0x1002", byGroup: true },
  { name: "Ascend", device: "/dev/davinci_manager", tools: ["npu-smi"], pci: "0x19e5", byGroup: true },
  { name: "Hygon", device: "/dev/mkfd", tools: ["hy-smi", "rocm-smi"], byGroup: true },
  { name: "MetaX", device: "/dev/mxcd", tools: ["mx-smi"], pci: "0x9999" },
  { name: "Moore Threads", tools: ["mthreads-gmi"], pci: "0x1ed5" },
  { name: "Iluvatar", device: "/dev/iluvatar0", tools: ["ixsmi"], pci: "0x1e3e" },
  { name: "Cambricon", device: "/dev/cambricon_ctl", tools: ["cnmon"], pci: "0xcabc" },
  { name: "T-Head", device: "/dev/alixpu_ctl", tools: ["ppu-smi"] },
];

/** Drivers that show a picture and calculate nothing. */
const displayDrivers = ["nouveau"];

export interface AcceleratorsSight {
  readonly accelerators: HostFacts["accelerators"];
  readonly warnings: readonly string[];
  readonly survey: Pick<HostSurvey, "devices" | "pci" | "user">;
}

/** The accelerators there are, and what of a driver or a tool stands in the way of using others. */
export function judgeAccelerators({ accelerators, warnings, survey }: AcceleratorsSight): Finding[] {
  const subject = "accelerators";
  const found = accelerators.map(({ name, memoryBytes }) => `${name} ${formatBytes(memoryBytes)}`).join(", ");
  return [
    { state: "note", subject, found: found === "" ? "none" : found },
    ...warnings.map((text): Finding => ({ state: "note", subject, found: text })),
    ...(accelerators.length > 0 ? [] : vendors.flatMap((vendor) => judgeDriver(vendor, survey))),
    ...vendors.flatMap((vendor) => judgeAccess(vendor, survey)),
  ];
}

/** Where no accelerator was found: why, when there is a trace of one. */
function judgeDriver(
  { name, device, tools, pci }: Vendor,
  { devices, pci: bus }: AcceleratorsSight["survey"],
): Finding[] {
  const subject = "accelerators";
  const tool = tools.join(" or ");
  if (devices.some(({ path }) => path === device)) {
    const found = `${name}'s driver is there, but ${tool} tells of no accelerator, or is not on PATH`;
    return [{ state: "note", subject, found, mend: `install ${name}'s ${tool}, and have it on the login's PATH` }];
  }
  const idle = bus.filter(({ vendor, driver }) => vendor === pci && (driver === undefined || isForDisplay(driver)));
  if (idle.length === 0) return [];
  const driver = idle[0]?.driver === undefined ? "no driver" : `the driver ${idle[0].driver}, which calculates nothing`;
  return [
    { state: "note", subject, found: `${idle.length} of ${name} with ${driver}`, mend: `install ${name}'s driver` },
  ];
}

function isForDisplay(driver: string): boolean {
  return displayDrivers.includes(driver);
}

function judgeAccess({ name, device, byGroup }: Vendor, { devices, user }: AcceleratorsSight["survey"]): Finding[] {
  if (byGroup !== true) return [];
  return devices
    .filter(({ path, writable }) => path === device && !writable)
    .map(({ path, group }) => {
      const found = `${user} may not use ${path}, so engines find no accelerator of ${name}`;
      return { state: "note", subject: "accelerators", found, mend: `sudo usermod -aG ${group} ${user}` };
    });
}
