import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Why no file system can be mounted here; undefined when one can. */
export const whyNoDisk =
  process.platform === "linux" && process.getuid?.() === 0 ? undefined : "only root of Linux mounts file systems";

/** A file system of its own that holds some megabytes, and can be filled to the last one. */
export class SmallDisk {
  private constructor(readonly folder: string) {}

  static mount(megabytes: number): SmallDisk {
    const folder = mkdtempSync("/tmp/bd-");
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "berth-test", folder]);
    return new SmallDisk(folder);
  }

  /** Leaves no free byte, or so many megabytes. */
  fill(leftMegabytes = 0): void {
    const { bavail, bsize } = statfsSync(this.folder);
    writeFileSync(join(this.folder, "filler"), Buffer.alloc(bavail * bsize - leftMegabytes * 2 ** 20));
  }

  /** Takes away what filled it. */
  empty(): void {
    rmSync(join(this.folder, "filler"), { force: true });
  }

  unmount(): void {
    execFileSync("umount", ["--lazy", this.folder]);
    rmdirSync(this.folder);
  }
}
