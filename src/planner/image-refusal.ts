import { BerthError } from "../lib/errors.js";
import type { LockedEngine } from "../schema/lock.js";

/** @throws BerthError `host-unsuitable` for a backend version that is a container image */
export function refuseImage({ backend, backendVersion, install }: LockedEngine, where: string, host: string): void {
  if (install.method !== "image") return;
  throw new BerthError("host-unsuitable", {
    where,
    what: "the backend version is installed as a container image, and this version of Berth runs processes only",
    got: `${backend} ${backendVersion} on host ${host}`,
    expected: "a version with binary, pipx or manual for the host",
    hint: "`berth backend show` lists the versions and how each is installed",
  });
}
