import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { execa } from "execa";

const source = fileURLToPath(new URL("../../test/support/fake-container/main.go", import.meta.url));

/** A tiny image on this machine's engine: one static program that answers as an inference engine does. */
export class TinyImage {
  /** How the engine knows it. */
  id;
  #label;

  constructor(id, label) {
    this.id = id;
    this.#label = label;
  }

  /** Made of nothing but the program. @param folder made here */
  static async load(folder) {
    const root = join(folder, "root");
    await mkdir(join(root, "tmp"), { recursive: true });
    const build = ["build", "-trimpath", "-ldflags=-s -w", "-o", join(root, "fake"), source];
    await execa("go", build, { env: { CGO_ENABLED: "0", GOTOOLCHAIN: "local" } });
    await execa("tar", ["-C", root, "-cf", join(folder, "layer.tar"), "."]);
    const label = `berth-bench=${folder}`;
    const config = {
      architecture: process.arch === "x64" ? "amd64" : process.arch,
      os: "linux",
      config: { Entrypoint: ["/fake"], Env: ["PATH=/"], Labels: Object.fromEntries([label.split("=")]) },
      rootfs: { type: "layers", diff_ids: [`sha256:${await sha256(join(folder, "layer.tar"))}`] },
    };
    await writeFile(join(folder, "config.json"), JSON.stringify(config));
    const tag = `berth-bench/fake:${(await sha256(join(folder, "config.json"))).slice(0, 12)}`;
    const manifest = [{ Config: "config.json", RepoTags: [tag], Layers: ["layer.tar"] }];
    await writeFile(join(folder, "manifest.json"), JSON.stringify(manifest));
    const archive = join(folder, "image.tar");
    await execa("tar", ["-C", folder, "-cf", archive, "manifest.json", "config.json", "layer.tar"]);
    await execa("docker", ["load", "--input", archive]);
    const { stdout } = await execa("docker", ["image", "inspect", "--format", "{{.Id}}", tag]);
    await rm(folder, { recursive: true });
    return new TinyImage(stdout.trim(), label);
  }

  /** How many containers there are of it, that run or not. */
  async countContainers() {
    return (await this.#containers()).length;
  }

  /** Takes it away with every container of it. */
  async remove() {
    const containers = await this.#containers();
    if (containers.length > 0) await execa("docker", ["rm", "--force", "--volumes", ...containers]);
    await execa("docker", ["rmi", "--force", this.id]);
  }

  /** They have the image's label. */
  async #containers() {
    const { stdout } = await execa("docker", ["ps", "--all", "--quiet", `--filter=label=${this.#label}`]);
    return stdout.split("\n").filter((id) => id !== "");
  }
}

async function sha256(path) {
  return createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
}
