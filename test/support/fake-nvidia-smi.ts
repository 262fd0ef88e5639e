import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { nvidiaSmiXml } from "./nvidia-smi.js";

/** Where a process is named that takes memory and is not Berth's: its identity, the GPU, MiB. */
const strangers = "strangers";
const marker = "<processes>\n    </processes>";

/**
 * A tool in the place of `nvidia-smi`, for GPUs of 81559 MiB. Each process whose environment names a GPU in
 * CUDA_VISIBLE_DEVICES holds 4000 MiB of it, as an engine that has loaded its model does.
 *
 * @returns the folder to have on PATH
 */
export function writeNvidiaSmi(folder: string, uuids: readonly string[]): string {
  const bin = join(folder, "nvidia bin");
  mkdirSync(bin, { recursive: true });
  const xml = nvidiaSmiXml(uuids.map((uuid) => ({ uuid, usedMib: 4 })));
  const script = `#!/usr/bin/env python3
import os, sys
if sys.argv[1:] != ["-q", "-x"]:
    sys.exit(0)
held = {}
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            variables = file.read().split(b"\\0")
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().split(b"\\0")
    except OSError:
        continue
    for variable in variables:
        if variable.startswith(b"CUDA_VISIBLE_DEVICES=") and b"--model" in words:
            for uuid in variable.split(b"=", 1)[1].decode().split(","):
                held.setdefault(uuid, []).append((pid, 4000))
path = ${JSON.stringify(join(bin, strangers))}
if os.path.exists(path):
    with open(path, encoding="utf-8") as file:
        pid, uuid, used = file.read().split()
    held.setdefault(uuid, []).append((pid, int(used)))
parts = ${JSON.stringify(xml)}.split("</gpu>")
for number, uuid in enumerate(${JSON.stringify(uuids)}):
    rows = "".join(
        f"<process_info><gpu_instance_id>N/A</gpu_instance_id><compute_instance_id>N/A</compute_instance_id>"
        f"<pid>{pid}</pid><type>C</type><process_name>engine</process_name>"
        f"<used_memory>{used} MiB</used_memory></process_info>"
        for pid, used in held.get(uuid, [])
    )
    total = 4 + sum(used for _, used in held.get(uuid, []))
    part = parts[number].replace(${JSON.stringify(marker)}, f"<processes>{rows}</processes>")
    part = part.replace("<used>4 MiB</used>", f"<used>{total} MiB</used>")
    parts[number] = part.replace("<free>81555 MiB</free>", f"<free>{81559 - total} MiB</free>")
print("</gpu>".join(parts), end="")
`;
  const path = join(bin, "nvidia-smi");
  writeFileSync(path, script);
  chmodSync(path, 0o755);
  return bin;
}

/** From now on a process that is not Berth's holds so much of a GPU. */
export function addStranger(bin: string, pid: number, uuid: string, usedMib: number): void {
  writeFileSync(join(bin, strangers), `${pid} ${uuid} ${usedMib}`);
}
