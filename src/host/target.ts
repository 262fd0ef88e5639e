import type { FileStatus, Host } from "./host.js";

/** Status of the file that a path leads to, through links; undefined when it leads to none. */
export async function targetStatus(host: Host, path: string): Promise<FileStatus | undefined> {
  const status = await host.status(path);
  if (status?.kind !== "link") return status?.kind === "file" ? status : undefined;
  // Folders on the way may be links too, so the link's text does not tell where its target is.
  const { exitCode, stdout } = await host.run(["readlink", "-f", path], { timeoutSeconds: 60 });
  const target = exitCode === 0 ? await host.status(stdout) : undefined;
  return target?.kind === "file" ? target : undefined;
}
