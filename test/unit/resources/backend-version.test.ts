import { chmod, rename, rm, symlink, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";

import { describe, expect, it } from "vitest";

import { LocalHost } from "../../../src/host/local.js";
import { backendVersionInputs, type BackendVersionInputs } from "../../../src/resources/backend-version-inputs.js";
import { backendVersionKind, planBackendVersion } from "../../../src/resources/backend-version.js";
import { contextOf, operationOf } from "../support/contexts.js";
import { rejectionOf } from "../support/thrown.js";
import { temporaryFolder } from "../support/temporary-folder.js";

describe("planBackendVersion", () => {
  const anew = ["download", "install", "verify", "link"];
  const well = { manual: false, installed: true, drift: [], leftovers: false, inUse: true };
  it.each([
    [well, []],
    [{ ...well, leftovers: true }, ["clear"]],
    [{ ...well, drift: ["x was changed"] }, [...anew, "retire"]],
    [{ ...well, drift: ["x was changed"], leftovers: true }, ["clear", ...anew, "retire"]],
    [{ ...well, installed: false }, [...anew, "retire"]],
    [{ ...well, installed: false, inUse: false }, anew],
    [{ ...well, manual: true }, []],
    [{ ...well, manual: true, installed: false, inUse: false }, ["adopt"]],
    [{ ...well, manual: true, drift: ["was installed in another way"] }, ["adopt", "retire"]],
  ])("of %j is %j", (seen, steps) => {
    expect(planBackendVersion(seen)).toEqual(steps);
  });
});

/** Makes an environment as pipx does; its Python tells the version in the file `told`, and does not without one; its pip installs nothing. */
const fakePipx = `#!/bin/sh
case "$1" in
  install)
    bin="$PIPX_HOME/venvs/engine$3/bin"
    mkdir -p "$bin" "$PIPX_BIN_DIR"
    ln -s "\${0%/*}/interpreter" "$bin/python"
    printf '#!/bin/sh\\ncat "%s"\\n' "\${0%/*}/told" > "$bin/engine"
    chmod +x "$bin/engine"
    ln -s "$bin/engine" "$PIPX_BIN_DIR/engine$3" ;;
esac
`;

interface Circumstances {
  failsAt?: string;
  binDir?: string;
  changes?: Partial<BackendVersionInputs>;
}

/** This machine with a pipx that needs no packages, and a data directory with a blank in its path. */
async function setUp() {
  const folder = await temporaryFolder();
  const pipxPath = join(folder, "pipx");
  const python = join(folder, "python");
  for (const [path, text] of [
    [pipxPath, fakePipx],
    [python, "#!/bin/sh\necho tag\n"],
    [join(folder, "interpreter"), `#!/bin/sh\n[ "$1" = -m ] || cat "${join(folder, "told")}"\n`],
    [join(folder, "told"), "1.0\n"],
  ] as const) {
    await writeFile(path, text);
    await chmod(path, 0o755);
  }
  const host = new LocalHost("local", { PATH: process.env.PATH ?? "", HOME: "/" });
  const dataDir = join(folder, "data dir");
  const reference = { name: "local", connection: "local" as const, dataDir };
  const inputs = backendVersionInputs.parse({
    name: "local.engine_1.0",
    owner: "shop/dev",
    host: reference,
    backend: "engine",
    version: "1.0",
    method: "pipx",
    package: "engine",
    requirements: { file: "engine/1.0.txt", sha256: "a".repeat(64) },
    pipxPath,
  });
  await host.writeFile(join(dataDir, "cache", "wheels", `${"a".repeat(64)}-tag`, "complete"), "");
  let ids = 0;
  const context = {
    ...contextOf(host),
    reference,
    newId: () => `id-${(ids += 1)}`,
    findPython: () => Promise.resolve({ python: { path: python, version: "3.11.2" } }),
    content: { backendFile: () => Promise.resolve("engine==1.0\n"), pythonTool: () => Promise.resolve("") },
  };
  const converge = async ({ failsAt, binDir, changes = {} }: Circumstances = {}) => {
    const { operation, steps } = operationOf(failsAt);
    const wanted = { ...inputs, ...changes };
    await backendVersionKind.converge({ ...context, reference: { ...reference, binDir } }, operation, wanted);
    return steps;
  };
  const observe = () => backendVersionKind.observe(context, inputs, undefined);
  return { folder, host, dataDir, version: join(dataDir, "backends", "engine_1.0"), converge, observe };
}

const anew = ["download packages", "install", "verify", "put in place"];

describe("installing a backend version", () => {
  it("makes it in a folder of its own, and the link leads there", async () => {
    const { host, dataDir, version, converge, observe } = await setUp();
    expect(await converge()).toEqual(anew);
    expect(await observe()).toEqual({
      executable: join(dataDir, "bin", "engine_1.0"),
      installation: "id-1",
      drift: [],
    });
    expect((await host.readLink(join(dataDir, "bin", "engine_1.0")))?.startsWith(join(version, "id-1/"))).toBe(true);
    expect(await converge()).toEqual([]);
  });

  it("removes a damaged one only when the new one has taken its place", async () => {
    const { host, dataDir, version, converge, observe } = await setUp();
    await converge();
    await host.writeFile(join(version, "id-1", "venvs", "engine_1.0", "added"), "");
    expect(await converge()).toEqual([...anew, "remove the installation before"]);
    expect(await observe()).toMatchObject({ installation: "id-2", drift: [] });
    expect(await host.list(version)).toEqual(["id-2", "installation.json"]);
    expect((await host.run([join(dataDir, "bin", "engine_1.0"), "--version"])).stdout).toBe("1.0");
  });

  it.each(["install", "verify"])("leaves the one before as it is when the step %s fails", async (step) => {
    const { folder, host, version, converge, observe } = await setUp();
    await converge();
    await host.writeFile(join(version, "id-1", "venvs", "engine_1.0", "added"), "");
    const before = await host.walk(version);
    if (step === "install") await writeFile(join(folder, "pipx"), '#!/bin/sh\n[ "$1" = --version ]\n');
    else await rm(join(folder, "told"));
    await expect(converge()).rejects.toMatchObject({ code: "install-failed" });
    expect(await host.walk(version)).toEqual(before);
    expect(await observe()).toMatchObject({ installation: "id-1", drift: [expect.stringContaining("added")] });
  });

  it("removes what interrupted runs left, and nothing that the link or the record leads to", async () => {
    const { host, version, converge, observe } = await setUp();
    await converge();
    await host.writeFile(join(version, "id-0", "half"), "");
    expect(await converge()).toEqual(["remove what interrupted runs left"]);
    expect(await host.list(version)).toEqual(["id-1", "installation.json"]);

    await host.remove(join(version, "installation.json"));
    await expect(converge({ failsAt: "verify" })).rejects.toThrow();
    const left = (await host.list(version)).filter((name) => name !== "id-1");
    expect(left).toHaveLength(1);
    expect(await converge()).toEqual(["remove what interrupted runs left", ...anew, "remove the installation before"]);
    expect((await observe()).drift).toEqual([]);
    expect(await host.list(version)).toHaveLength(2);
  });

  it("finds an environment whose Python is gone", async () => {
    const { folder, converge, observe } = await setUp();
    await converge();
    await rename(join(folder, "interpreter"), join(folder, "newer"));
    expect((await observe()).drift).toEqual(["its Python is gone: bin/python leads nowhere"]);
    await symlink(join(folder, "newer"), join(folder, "interpreter"));
    expect((await observe()).drift).toEqual([]);
  });

  it("mends a link that was changed by hand, and refuses what is no link of Berth's", async () => {
    const { host, dataDir, converge, observe } = await setUp();
    await converge();
    const link = join(dataDir, "bin", "engine_1.0");
    await host.link("/bin/true", link);
    expect((await observe()).drift).toEqual([`${link} does not lead to the installation`]);
    await converge();
    expect((await observe()).drift).toEqual([]);

    await host.remove(link);
    await host.writeFile(link, "an administrator's");
    await expect(converge()).rejects.toMatchObject({ code: "host-foreign" });
    expect(await host.readText(link)).toBe("an administrator's");
  });

  it("retires the downloads of what it replaces, and keeps the last two such", async () => {
    const { host, dataDir, converge } = await setUp();
    const wheels = join(dataDir, "cache", "wheels");
    const changesOf = (letter: string) => ({
      changes: { requirements: { file: "engine/1.0.txt", sha256: letter.repeat(64) } },
    });
    for (const letter of ["b", "c", "d"])
      await host.writeFile(join(wheels, `${letter.repeat(64)}-tag`, "complete"), "");
    for (const letter of ["a", "b", "c"]) await converge(changesOf(letter));
    expect((await host.list(wheels)).map((name) => name[0])).toEqual(["a", "b", "c", "d"]);
    await converge(changesOf("a"));
    await converge(changesOf("d"));
    expect((await host.list(wheels)).map((name) => name[0])).toEqual(["a", "c", "d"]);
  });

  it("does not take its own link for an administrator's executable, and leaves it as it is", async () => {
    const { host, dataDir, version, converge, observe } = await setUp();
    await converge();
    const before = await host.walk(version);
    const manual = { changes: { method: "manual" as const } };
    const error = await rejectionOf(converge(manual));
    expect([error.code, error.parts.where]).toEqual([
      "file-not-found",
      `host local: ${join(dataDir, "bin", "engine_1.0")}`,
    ]);
    expect([await host.walk(version), (await observe()).drift]).toEqual([before, []]);

    const link = join(dataDir, "bin", "engine_1.0");
    await host.link("/bin/true", link);
    expect(await converge(manual)).toEqual(["verify the administrator's executable", "remove the installation before"]);
    expect([await host.readLink(link), await host.list(version)]).toEqual(["/bin/true", ["installation.json"]]);
  });

  it("refuses somebody else's link in another bin directory", async () => {
    const { folder, host, converge } = await setUp();
    const link = join(folder, "bin", "engine_1.0");
    await converge();
    await host.link("/bin/true", link);
    await expect(converge({ binDir: join(folder, "bin") })).rejects.toMatchObject({ code: "host-foreign" });
    expect(await host.readLink(link)).toBe("/bin/true");
  });

  it("leaves nothing of it when nobody wants it", async () => {
    const { host, dataDir, version, converge } = await setUp();
    await converge();
    const context = { ...contextOf(host), reference: { name: "local", connection: "local" as const, dataDir } };
    const key = { owner: "shop/dev", name: "local.engine_1.0", uses: `backends/${basename(version)}` };
    await backendVersionKind.remove(context, operationOf().operation, key);
    expect([await host.list(join(dataDir, "bin")), await host.list(join(dataDir, "backends"))]).toEqual([[], []]);
  });
});
