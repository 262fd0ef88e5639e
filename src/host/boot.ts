import type { Host } from "./host.js";

/** Another one after each start of the machine; undefined where the system does not tell. */
export async function findBootId(host: Pick<Host, "readText">): Promise<string | undefined> {
  const text = await host.readText("/proc/sys/kernel/random/boot_id");
  return text?.trim();
}
