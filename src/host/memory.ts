import type { Host } from "./host.js";

/** Memory that programs can have without others being put out, bytes; undefined where the system does not tell. */
export async function availableMemory(host: Pick<Host, "readText">): Promise<number | undefined> {
  const text = await host.readText("/proc/meminfo");
  const kibibytes = /^MemAvailable: +(\d+) kB$/m.exec(text ?? "")?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}
