import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { draftRelease } from "../../src/catalog/release.js";
import { LocalHost } from "../../src/host/local.js";
import { sha256 } from "../../src/lib/canonical.js";
import { createContent } from "../../src/install/content.js";
import { createPinEdges } from "../../src/lock/pin-edges.js";
import { pinInstall } from "../../src/lock/pin.js";
import { createRegistryLogins } from "../../src/host/registry-login.js";
import { ImageRegistry, registryPassword, registryUser } from "../support/image-registry.js";
import { repository } from "../support/toolchain.js";
import { catalogueOf, engineBackend } from "../unit/support/catalogues.js";
import { platform } from "../unit/support/problems.js";

const auth = Buffer.from(`${registryUser}:${registryPassword}`).toString("base64");
const wrongPassword = "canary-wrong-11d0";
const wrongAuth = Buffer.from(`${registryUser}:${wrongPassword}`).toString("base64");
const canaries = [registryPassword, auth, wrongPassword, wrongAuth];

let registry: ImageRegistry;
let folder: string;
let digest: string;
beforeAll(async () => {
  registry = await ImageRegistry.start();
  digest = await registry.push("hub/team/engine", "1.0");
  await registry.push("hub/team/engine", "1.1");
  folder = await realpath(await mkdtemp(join(tmpdir(), "berth-images-")));
});
afterAll(async () => {
  await registry.close();
  await rm(folder, { recursive: true, force: true });
});

/** A folder with Docker's configuration, as DOCKER_CONFIG names it. */
async function loggedIn(name: string, config: object): Promise<string> {
  const place = join(folder, name);
  await mkdir(place, { recursive: true });
  await writeFile(join(place, "config.json"), JSON.stringify(config));
  return place;
}

/** The install of an image of Docker Hub, for which the registry is the mirror. */
async function pin(dockerConfig: string | undefined) {
  const versions = { "1.0": { install: { image: { reference: "team/engine:1.0" } } } };
  const catalogue = catalogueOf([engineBackend({ defaultVersion: undefined, versions })], []);
  const deployment = { backend: "engine", extraParameters: [], env: {} };
  const model = { from: { source: "file" as const, path: "/m.gguf" }, file: "m.gguf", sha256: "a".repeat(64) };
  const draft = draftRelease({ catalogue, deployment, model, platform, where: "deployment chat" });
  const mirrors = { registries: { "docker.io": `${registry.host}/hub` } };
  const machine = new LocalHost("this machine", { PATH: process.env.PATH ?? "", HOME: folder });
  const environment = { HOME: folder, ...(dockerConfig === undefined ? {} : { DOCKER_CONFIG: dockerConfig }) };
  const edges = createPinEdges({
    host: machine,
    folder,
    content: createContent(repository, folder),
    defaultIndex: undefined,
    findLogin: createRegistryLogins(environment, machine),
  });
  return pinInstall({ catalogue, mirrors, previous: {}, resolved: {} }, draft, edges);
}

describe("an image of a public registry that has a mirror", () => {
  it("is locked by its public name with the digest that the mirror tells those who log in", async () => {
    const { install } = await pin(await loggedIn("own", { auths: { [registry.host]: { auth } } }));
    const id = expect.stringMatching(/^sha256:[0-9a-f]{64}$/) as string;
    const platforms = { "linux/amd64": { digest, id, sizeBytes: 0 } };
    expect(install).toEqual({ method: "image", reference: "team/engine:1.0", digest, platforms });
  });

  it("is locked with the digests of each of its platforms", async () => {
    const of = (architecture: string) => ({ config: JSON.stringify({ os: "linux", architecture }), layers: [] });
    const images = { "linux/amd64": of("amd64"), "linux/arm64": of("arm64"), "linux/s390x": of("s390x") };
    const { digest: index, digests } = await registry.pushIndex("hub/team/engine", "1.0", images);
    const { install } = await pin(await loggedIn("own", { auths: { [registry.host]: { auth } } }));
    await registry.push("hub/team/engine", "1.0");
    expect(install).toMatchObject({ digest: index });
    const platforms = install.method === "image" ? (install.platforms ?? {}) : {};
    const told = Object.entries(platforms).map(([name, platform]) => [name, platform.digest, platform.id]);
    expect(told).toEqual(
      (["linux/amd64", "linux/arm64"] as const).map((name) => [
        name,
        digests[name],
        `sha256:${sha256(images[name].config)}`,
      ]),
    );
  });

  it("is refused without a login, and with a wrong one, which no error tells", async () => {
    for (const config of [undefined, await loggedIn("wrong", { auths: { [registry.host]: { auth: wrongAuth } } })]) {
      const message = await pin(config).then(
        () => "",
        (error: unknown) => String(error),
      );
      expect(message).toContain(`${registry.host}/hub/team/engine:1.0`);
      expect(message).toContain("docker login");
      for (const canary of canaries) expect(message).not.toContain(canary);
    }
  });
});

describe("`berth backend add-version` with an image of a registry that asks for a login", () => {
  /** The helper writes down how it was called, as a list of processes would show it. */
  async function project() {
    const root = join(folder, "project");
    await mkdir(join(root, "backends"), { recursive: true });
    await writeFile(join(root, "Pulumi.yaml"), "name: images\nruntime: nodejs\n");
    const image = `install: { image: { reference: "${registry.host}/hub/team/engine:1.0", digest: "${digest}" } }`;
    const backend = `schemaVersion: 1\nname: engine\nrunCommand: serve\nversions:\n  "1.0":\n    ${image}\n`;
    await writeFile(join(root, "backends", "engine.yaml"), backend);
    const helper = join(folder, "docker-credential-canary");
    const answer = `{"ServerURL":"","Username":"${registryUser}","Secret":"${registryPassword}"}`;
    const list = `ps -eo args > "${folder}/processes"`;
    await writeFile(helper, `#!/bin/sh\ncat > "${folder}/asked"\n${list}\necho '${answer}'\n`, { mode: 0o755 });
    return root;
  }

  it("pins it, and the password is in no file, output or process list", async () => {
    const root = await project();
    const config = await loggedIn("helped", { credHelpers: { [registry.host]: "canary" } });
    const environment = { PATH: `${folder}:${process.env.PATH ?? ""}`, HOME: folder, DOCKER_CONFIG: config };
    const command = [join(repository, "tools", "berth.mjs"), "backend", "add-version", "engine", "1.1"];
    const options = { cwd: root, env: environment, extendEnv: false, reject: false } as const;
    const { exitCode, stdout, stderr } = await execa(process.execPath, command, options);
    expect(exitCode, stderr).toBe(0);
    const backend = await readFile(join(root, "backends", "engine.yaml"), "utf8");
    expect(backend).toMatch(/"?1\.1"?:[^]*digest: sha256:[0-9a-f]{64}/);
    expect(await readFile(join(folder, "asked"), "utf8")).toBe(registry.host);
    const processes = await readFile(join(folder, "processes"), "utf8");
    expect(processes).toContain("add-version");
    const { stdout: found } = await execa("grep", ["-rlFe", registryPassword, "-e", auth, root], { reject: false });
    expect(found).toBe("");
    for (const canary of canaries) expect(`${stdout}${stderr}${processes}${backend}`).not.toContain(canary);
  });
});
