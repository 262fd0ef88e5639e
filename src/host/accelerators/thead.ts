import { nothingFound, notUnderstood, sight, type Detector, type Finding } from "./detector.js";
import { identify } from "./identity.js";
import { csvRows, programName, readBusId, readBytes, readPid, told, wholeNumber } from "./values.js";

const devices = "--query-ppu=index,name,uuid,pci.bus_id,memory.total,memory.used,driver_version";
const apps = "--query-compute-apps=pid,process_name,used_ppu_memory,ppu_bus_id";
/** Where the SDK puts it when it is not on PATH. */
const sdkPath = "/usr/local/PPU_SDK/ppu-smi/bin/ppu-smi";

/** T-Head's PPUs, by `ppu-smi`, whose options are nvidia-smi's with another word. */
export const thead: Detector = {
  vendor: "thead",

  ask(answers) {
    const first = {
      ppus: { argv: ["ppu-smi", devices, "--format=csv"] as const },
      sdkPpus: { argv: [sdkPath, devices, "--format=csv"] as const },
    };
    const tool = answers.ppus !== undefined ? "ppu-smi" : answers.sdkPpus !== undefined ? sdkPath : undefined;
    return tool === undefined ? first : { ...first, apps: { argv: [tool, apps, "--format=csv"], optional: true } };
  },

  read({ ppus, sdkPpus, apps: users }) {
    const csv = ppus ?? sdkPpus;
    if (csv === undefined) return nothingFound;
    const found = csvRows(csv).flatMap((row) => readPpu(row, users));
    return found.length === 0 ? notUnderstood("ppu-smi --query-ppu") : sight(found, "ppu-smi");
  },
};

function readPpu(row: Readonly<Record<string, string>>, users: string | undefined): Finding[] {
  const index = wholeNumber(row.index);
  if (index === undefined) return [];
  const pciBusId = readBusId(row["pci.bus_id"]);
  const identity = identify({ uuid: told(row.uuid), pciBusId, fallback: `thead-${index}` });
  const used = readBytes(row["memory.used"]);
  const processes = csvRows(users ?? "").flatMap((app) => {
    const pid = readPid(app.pid);
    const memoryBytes = readBytes(app.used_ppu_memory);
    if (pid === undefined || pciBusId === undefined || readBusId(app.ppu_bus_id) !== pciBusId) return [];
    return [{ pid, name: programName(app.process_name), ...(memoryBytes === undefined ? {} : { memoryBytes }) }];
  });
  return [
    {
      accelerator: {
        type: "hggc",
        vendor: "thead",
        name: told(row.name) ?? "T-Head PPU",
        index,
        ...identity,
        memoryBytes: readBytes(row["memory.total"]) ?? 0,
        driverVersion: told(row.driver_version) ?? "unknown",
      },
      usage: {
        uuid: identity.uuid,
        ...(used === undefined ? {} : { memoryUsedBytes: used }),
        ...(users === undefined ? {} : { processes }),
      },
    },
  ];
}
