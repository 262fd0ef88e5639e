/** A container image with `/bin/sh` and `sleep` of this machine: no download, no compiler. */
import { randomBytes } from "node:crypto";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { execa } from "execa";

import { type ImageRegistry, registryPassword, registryUser } from "./image-registry.js";

/** Why no container can be run here; undefined when one can. */
export async function whyNoDocker(): Promise<string | undefined> {
  const { exitCode } = await execa("docker", ["version"], { reject: false });
  return exitCode === 0 ? undefined : "no Docker Engine answers here";
}

/** Gives the engine an image of its own, and returns the image's name. */
export async function importShellImage(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "berth-shell-"));
  try {
    const root = join(folder, "root");
    for (const path of ["/bin/sh", "/bin/sleep", ...(await librariesOf("/bin/sh", "/bin/sleep"))]) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await cp(path, join(root, path), { dereference: true });
    }
    const name = `berth-test-shell:${randomBytes(4).toString("hex")}`;
    // What is different in it makes it an image that no other test has.
    await writeFile(join(root, "name"), name);
    await execa("tar", ["-C", root, "-cf", join(folder, "image.tar"), "."]);
    await execa("docker", ["import", join(folder, "image.tar"), name]);
    return name;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Pushes an image of the engine; returns its digest. */
export async function pushImage(registry: ImageRegistry, image: string, repository: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "berth-docker-"));
  const name = `${registry.host}/${repository}:pushed`;
  try {
    const auth = Buffer.from(`${registryUser}:${registryPassword}`).toString("base64");
    await writeFile(join(folder, "config.json"), JSON.stringify({ auths: { [registry.host]: { auth } } }));
    await execa("docker", ["tag", image, name]);
    const { stdout } = await execa("docker", ["--config", folder, "push", name]);
    return /digest: (sha256:[0-9a-f]{64})/.exec(stdout)?.[1] ?? "";
  } finally {
    await execa("docker", ["rmi", name], { reject: false });
    await rm(folder, { recursive: true, force: true });
  }
}

/** Shared libraries, and what loads them. */
async function librariesOf(...programs: readonly string[]): Promise<string[]> {
  const { stdout } = await execa("ldd", [...programs]);
  return [...new Set([...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path = ""]) => path))];
}
