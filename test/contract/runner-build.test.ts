import { chmod, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";

import { dockerfileSkeleton } from "../../src/catalog/dockerfile-skeleton.js";
import { ImageRegistry, registryPassword, registryUser } from "../support/image-registry.js";
import { importShellImage, pushImage, whyNoDocker } from "../support/shell-image.js";
import { repository } from "../support/toolchain.js";

const reason = await whyNoDocker();
const isLeftOut = reason !== undefined && process.env.BERTH_TEST_ALL !== "1";

const auth = Buffer.from(`${registryUser}:${registryPassword}`).toString("base64");
const digestPattern = /sha256:[0-9a-f]{64}/;

const catalogue = `# Images of this project alone.
schemaVersion: 1
acceleratorType: tiny
name: Tiny
vendor: nvidia
device: Tiny device
hostRuntime: { comparable: false, source: nothing }
services: { low: Low, high: High }
versions:
  - version: "1.2"
    images:
      # Released before.
      low:
        - { version: "0.1.0", platforms: [linux/amd64] }
`;

const skeleton = (service: string, name: string) =>
  dockerfileSkeleton({ acceleratorType: "tiny", name: "Tiny", runtimeVersion: "1.2.3", services: { [service]: name } });

/** The skeleton with a file in the place of each command, since Docker 20.10 knows no here-documents. */
function dockerfile(service: string, name: string, runtimeImage: string): string {
  let index = 0;
  return skeleton(service, name)
    .replace("ubuntu:22.04", runtimeImage)
    .replace(/RUN <<EOF[^]*?EOF\n/g, () => `COPY ${service}-${index++}.txt /\n`);
}

describe.skipIf(isLeftOut)(`runner images${isLeftOut ? ` (left out: ${reason})` : ""}`, () => {
  let registry: ImageRegistry;
  let folder: string;
  let devel: string;

  beforeAll(async () => {
    registry = await ImageRegistry.start();
    folder = await realpath(await mkdtemp(join(tmpdir(), "berth-builds-")));
    const image = await importShellImage();
    await pushImage(registry, image, "vendor/devel");
    // It is to be fetched again, with the login.
    await execa("docker", ["rmi", image]);
    devel = `${registry.host}/vendor/devel:pushed`;
    await write("login/config.json", JSON.stringify({ auths: { [registry.host]: { auth } } }));
    await write("Pulumi.yaml", "name: images\nruntime: nodejs\n");
    await write("backends/runners/tiny.yaml", catalogue);
    for (const [service, count] of [
      ["low", 2],
      ["high", 2],
    ] as const)
      for (let index = 0; index < count; index++)
        await write(`backends/runners/tiny/${service}-${index}.txt`, `${service} ${index}\n`);
    await write("backends/runners/tiny/Dockerfile.low", dockerfile("low", "Low", devel));
    await write(
      "backends/runners/tiny/Dockerfile.high",
      dockerfile("high", "High", "${HIGH_BASE_IMAGE}").replace(
        "FROM ${HIGH_BASE_IMAGE} AS high",
        "FROM runtime AS high",
      ),
    );
    await write(
      "backends/runners/tiny/matrix.yaml",
      `schemaVersion: 1
rules:
  - services: [high]
    platforms: [linux/amd64]
    args: { HIGH_BASE_IMAGE: "gpustack/runner:tiny1.2-low0.2.0", HIGH_VERSION: "0.9.0" }
  - services: [low]
    platforms: [linux/amd64]
    args: { LOW_VERSION: "0.2.0" }
`,
    );
  });

  afterAll(async () => {
    const { stdout } = await execa("docker", ["images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}", "--no-trunc"]);
    const own = stdout.split("\n").filter((line) => line.startsWith(`${registry.host}/`));
    const ids = [...new Set(own.map((line) => line.split(" ")[1] ?? ""))];
    if (ids.length > 0) await execa("docker", ["rmi", "--force", ...ids]);
    await registry.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function write(path: string, text: string): Promise<void> {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }

  /** A verb of `berth runner` as people call it. */
  async function runner(verb: string, ...args: readonly string[]) {
    const place = ["--accelerator", "tiny", "--registry", registry.host, "--namespace", "team"];
    const command = [
      join(repository, "tools", "berth.mjs"),
      "runner",
      verb,
      ...(verb === "lint" ? [] : place),
      ...args,
    ];
    const env = { PATH: process.env.PATH ?? "", HOME: folder, DOCKER_CONFIG: join(folder, "login") };
    const done = await execa(process.execPath, command, { cwd: folder, env, extendEnv: false, reject: false });
    for (const secret of [registryPassword, auth]) expect(`${done.stdout}${done.stderr}`).not.toContain(secret);
    return done;
  }

  /** What the engine did meanwhile with images of this test. */
  async function during(action: () => Promise<void>): Promise<string[]> {
    const since = (Date.now() / 1000).toFixed(3);
    await action();
    const until = (Date.now() / 1000).toFixed(3);
    const format = "{{.Action}} {{.Actor.Attributes.name}}";
    const argv = ["events", "--since", since, "--until", until, "--filter", "type=image", "--format", format];
    const { stdout } = await execa("docker", argv);
    return stdout.split("\n").filter((line) => line.includes(`${registry.host}/`));
  }

  async function manifestOf(tag: string, repositoryName = "team/runner") {
    const accept = [
      "application/vnd.docker.distribution.manifest.list.v2+json",
      "application/vnd.docker.distribution.manifest.v2+json",
    ];
    const headers = { authorization: `Basic ${auth}`, accept: accept.join(", ") };
    const response = await fetch(`http://${registry.host}/v2/${repositoryName}/manifests/${tag}`, { headers });
    return {
      status: response.status,
      digest: response.headers.get("docker-content-digest"),
      text: await response.text(),
    };
  }

  it("follow the convention", async () => {
    const { exitCode, stdout, stderr } = await runner("lint");
    expect([exitCode, stdout, stderr]).toEqual([0, "", expect.stringMatching(/Dockerfiles, no findings$/)]);
  });

  it("are built in order, one on the other, pushed, and put together under their -dev tags", async () => {
    let built = await runner("lint");
    const events = await during(async () => {
      built = await runner("build");
    });
    const { exitCode, stdout, stderr } = built;
    expect(exitCode, stderr).toBe(0);
    expect(events.filter((line) => line.startsWith("push "))).toHaveLength(2);
    const place = `${registry.host}/team/runner:tiny1.2-`;
    expect(stdout.split("\n").map((line) => line.replace(new RegExp(digestPattern, "g"), "DIGEST"))).toEqual([
      `${place}low0.2.0-linux-amd64@DIGEST: built and pushed`,
      `${place}high0.9.0-linux-amd64@DIGEST: built and pushed`,
      `${place}low0.2.0-dev@DIGEST: put together`,
      `${place}high0.9.0-dev@DIGEST: put together`,
    ]);
    const [low, high] = [
      await manifestOf("tiny1.2-low0.2.0-linux-amd64"),
      await manifestOf("tiny1.2-high0.9.0-linux-amd64"),
    ];
    const layers = ({ text }: { text: string }) =>
      (JSON.parse(text) as { layers: { digest: string }[] }).layers.map((one) => one.digest);
    expect(layers(high).slice(0, layers(low).length)).toEqual(layers(low));
    const index = JSON.parse((await manifestOf("tiny1.2-high0.9.0-dev")).text) as { manifests: object[] };
    expect(index.manifests).toEqual([
      expect.objectContaining({ digest: high.digest, platform: { os: "linux", architecture: "amd64" } }),
    ]);
  });

  it("are not built again from the same inputs", async () => {
    const events = await during(async () => {
      const { exitCode, stdout, stderr } = await runner("build", "--format", "json");
      expect(exitCode, stderr).toBe(0);
      const steps = JSON.parse(stdout) as { kind: string }[];
      expect(steps.map(({ kind }) => kind)).toEqual(["unchanged", "unchanged", "same", "same"]);
    });
    expect(events).toEqual([]);
  });

  it("get their tags after tests, with the same digest, which the catalogue has then", async () => {
    const { digest } = await manifestOf("tiny1.2-high0.9.0-dev");
    const wrong = await runner("release", "--tag", "tiny1.2-high", "--digest", `sha256:${"0".repeat(64)}`);
    expect([wrong.exitCode, wrong.stderr]).toEqual([
      1,
      expect.stringContaining("is not the one that is to be released"),
    ]);
    expect((await manifestOf("tiny1.2-high0.9.0")).status).toBe(404);

    const { exitCode, stderr } = await runner("release", "--digest", digest ?? "", "--tag", "tiny1.2-high");
    expect(exitCode, stderr).toBe(0);
    expect((await manifestOf("tiny1.2-high0.9.0")).digest).toBe(digest);
    expect((await runner("release")).exitCode).toBe(0);
    const text = await readFile(join(folder, "backends", "runners", "tiny.yaml"), "utf8");
    expect(text).toContain("# Released before.");
    const low = await manifestOf("tiny1.2-low0.2.0");
    const known = {
      ...{ runtimeVersion: "1.2.3", platforms: ["linux/amd64"] },
      repository: `${registry.host}/team/runner`,
    };
    expect((parse(text) as { versions: unknown[] }).versions).toEqual([
      {
        version: "1.2",
        images: {
          low: [
            { version: "0.2.0", ...known, digest: low.digest },
            { version: "0.1.0", platforms: ["linux/amd64"] },
          ],
          high: [{ version: "0.9.0", ...known, digest }],
        },
      },
    ]);
    expect((await runner("build")).stdout).not.toContain("built and pushed");
  });

  it("are built again with all that is made from them when a file changes", async () => {
    await write("backends/runners/tiny/low-0.txt", "changed\n");
    const { stdout } = await runner("build", "--service", "high");
    expect(stdout.split("\n").map((line) => line.replace(/^.*: /, ""))).toEqual([
      ...["built and pushed", "built and pushed", "put together"],
    ]);
  });

  it("are built again when the image that they are made from was built again", async () => {
    const forced = await runner("build", "--service", "low", "--force");
    expect(forced.stdout).toContain("low0.2.0-linux-amd64@");
    const { stdout } = await runner("build");
    expect(stdout.split("\n").map((line) => line.replace(/^.*: /, ""))).toEqual([
      ...["there already, of the same inputs", "built and pushed", "there already", "put together"],
    ]);
  });

  it("keep a tag that was released, unless it is to be changed in place, which the catalogue tells", async () => {
    const refused = await runner("release", "--service", "high");
    expect([refused.exitCode, refused.stderr]).toEqual([1, expect.stringContaining("leads to another image")]);
    const { exitCode, stderr } = await runner("release", "--service", "high", "--replace");
    expect([exitCode, stderr]).toEqual([0, ""]);
    const { digest } = await manifestOf("tiny1.2-high0.9.0");
    const text = await readFile(join(folder, "backends", "runners", "tiny.yaml"), "utf8");
    expect(text).toContain(`          digest: ${digest}\n          polished: true`);

    await write("backends/runners/tiny/low-0.txt", "not built yet\n");
    const stale = await runner("release", "--service", "high");
    expect(stale.stderr).toContain("note: tiny1.2-high0.9.0 was built from other inputs than its files have now");
  });

  it("for another platform are built where their commands need none of it, and wait for each other", async () => {
    const matrix = join(folder, "backends", "runners", "tiny", "matrix.yaml");
    const scratch = dockerfile("low", "Low", "scratch");
    await write("backends/runners/tiny/Dockerfile.low", scratch);
    await write(
      "backends/runners/tiny/matrix.yaml",
      'schemaVersion: 1\nrules:\n  - services: [low]\n    args: { LOW_VERSION: "0.3.0" }\n',
    );
    const first = await runner("build", "--platform", "linux/arm64");
    expect(first.stdout).toContain(
      "low0.3.0-dev: not put together, because there is no image of these inputs for linux/amd64",
    );
    const second = await runner("build");
    expect(second.exitCode, second.stderr).toBe(0);
    const index = JSON.parse((await manifestOf("tiny1.2-low0.3.0-dev")).text) as { manifests: { platform: object }[] };
    expect(index.manifests.map(({ platform }) => platform)).toEqual([
      { os: "linux", architecture: "amd64" },
      { os: "linux", architecture: "arm64" },
    ]);
    await rm(matrix);
  });

  it("that cannot be built tell what their commands printed", async () => {
    const failing = dockerfile("low", "Low", devel).replace(
      "WORKDIR /\n",
      'SHELL ["/bin/sh", "-ec"]\nRUN echo "no wheel for ${LOW_VERSION}"; exit 3\nWORKDIR /\n',
    );
    await write("backends/runners/tiny/Dockerfile.low", failing);
    await write(
      "backends/runners/tiny/matrix.yaml",
      'schemaVersion: 1\nrules:\n  - { services: [low], platforms: [linux/amd64], args: { LOW_VERSION: "0.4.0" } }\n',
    );
    const { exitCode, stderr } = await runner("build");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("the image could not be built");
    expect(stderr).toContain("  | no wheel for 0.4.0");
    expect((await manifestOf("tiny1.2-low0.4.0-linux-amd64")).status).toBe(404);
  });

  it("that run programs of another processor tell what the engine lacks", async () => {
    const foreign = dockerfile("low", "Low", "scratch").replace(
      "WORKDIR /\n",
      'COPY low-0.txt /bin/sh\nSHELL ["/bin/sh"]\nRUN true\nWORKDIR /\n',
    );
    await write("backends/runners/tiny/Dockerfile.low", foreign);
    await chmod(join(folder, "backends/runners/tiny/low-0.txt"), 0o755);
    await write(
      "backends/runners/tiny/matrix.yaml",
      "schemaVersion: 1\nrules:\n  - { services: [low], platforms: [linux/arm64] }\n",
    );
    const { exitCode, stderr } = await runner("build");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("to do: the engine cannot run programs for linux/arm64");
  });

  it("with here-documents are refused on an engine that does not know them", async () => {
    const { stdout: version } = await execa("docker", ["version", "--format", "{{.Server.Version}}"]);
    await write("backends/runners/tiny/Dockerfile.low", skeleton("low", "Low").replace("ubuntu:22.04", devel));
    const { stderr } = await runner("build");
    const isOld = Number.parseInt(version, 10) < 23;
    expect(stderr).toContain(isOld ? "the Docker Engine does not know here-documents" : "building");
  });
});
