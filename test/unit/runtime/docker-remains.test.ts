import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { describe, expect, it } from "vitest";

import { LocalHost } from "../../../src/host/local.js";
import { assertNoEngine, findDockerRemains } from "../../../src/runtime/docker-remains.js";
import { BerthError } from "../../../src/lib/errors.js";
import { temporaryFolder } from "../support/temporary-folder.js";

async function hostWith(files: Readonly<Record<string, string>>) {
  const root = await temporaryFolder();
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return { root, host: new LocalHost("local", { PATH: "/usr/bin:/bin", HOME: "/home/ada" }) };
}

describe("what is left of a Docker Engine", () => {
  it("is nothing on a host that has none", async () => {
    const { host, root } = await hostWith({ "/etc/hosts": "", "/usr/bin/docker": "" });
    expect(await findDockerRemains(host, root)).toEqual([]);
  });

  it.each([
    ["its socket", "/var/run/docker.sock"],
    ["a program that is installed and stopped", "/usr/bin/dockerd"],
    ["the folder of its containers", "/var/lib/docker/containers/a"],
    ["that of one without root's rights", "/home/ada/.local/share/docker/containers/a"],
  ])("is %s", async (_, path) => {
    const { host, root } = await hostWith({ [path]: "" });
    const [found, ...others] = await findDockerRemains(host, root);
    expect(others).toEqual([]);
    expect(path.startsWith(found ?? "?")).toBe(true);
  });

  it("is the folder that its configuration names", async () => {
    const { host, root } = await hostWith({
      "/etc/docker/daemon.json": '{\n  "data-root" : "/srv/big disk/docker", "debug": true }',
      "/srv/big disk/docker/a": "",
    });
    expect(await findDockerRemains(host, root)).toEqual(["/srv/big disk/docker"]);
  });
});

describe("an engine that does not answer", () => {
  const unreachable = new BerthError("docker-unreachable", { what: "there is no socket of a Docker Engine" });
  const answering = (stdout: string, exitCode = 0) => ({
    name: "gpu-1",
    run: () => Promise.resolve({ exitCode, stdout, stderr: "" }),
  });

  it("is gone with all that it had where nothing is left of it", async () => {
    await assertNoEngine(answering(""), unreachable);
  });

  it("would bring it back where something is, and that is told", async () => {
    const refused = assertNoEngine(answering("/usr/bin/dockerd\n/var/lib/docker\n"), unreachable);
    await expect(refused).rejects.toMatchObject({
      code: "docker-unreachable",
      parts: { got: "of Docker is still there: /usr/bin/dockerd, /var/lib/docker" },
    });
  });

  it("is not taken for gone where that cannot be told", async () => {
    await expect(assertNoEngine(answering("", 126), unreachable)).rejects.toMatchObject({ code: "command-failed" });
  });
});
