import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { minimumGo } from "../../../src/cli/toolchain-build.js";
import { findPulumi, obtainPulumi, pulumiVersion } from "../../../src/cli/toolchain.js";
import { cliNames, failure, Machine, putCli, putScript, repository, unreachable } from "./toolchain-machine.js";

let machine: Machine;
beforeEach(async () => {
  machine = await Machine.create();
});
afterEach(() => machine.remove());

it("is one version: this module, the npm package pulumi, and the modules to build from", async () => {
  const { dependencies } = JSON.parse(await readFile(join(repository, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  const modules = await readFile(join(repository, "tools", "pulumi", "cli", "go.mod"), "utf8");
  expect(dependencies["pulumi"]).toBe(pulumiVersion);
  expect(modules).toContain(`github.com/pulumi/pulumi/pkg/v3 v${pulumiVersion}`);
  expect(modules).toContain(`github.com/pulumi/pulumi/sdk/v3 v${pulumiVersion}`);
  expect(modules).toContain(`\ngo ${minimumGo}\n`);
});

describe("PATH", () => {
  it("is taken first, and the toolchain says so", async () => {
    await putCli(join(machine.root, "bin"), "3.300.1");
    await putCli(machine.cache);
    expect(await obtainPulumi(machine.options(), unreachable)).toEqual({
      binDir: join(machine.root, "bin"),
      version: "3.300.1",
      source: "path",
      detail: `Pulumi 3.300.1 from PATH: ${join(machine.root, "bin")}`,
    });
  });

  it.each(["3.255.9", "4.0.0", "3.256.0-alpha.1"])("is passed over when its version is %s", async (version) => {
    await putCli(join(machine.root, "bin"), version);
    await putCli(machine.cache);
    expect(await obtainPulumi(machine.options(), unreachable)).toMatchObject({
      source: "cache",
      version: pulumiVersion,
    });
  });

  it("gives a later folder when an earlier one has an old version", async () => {
    await putCli(join(machine.root, "old"), "3.100.0");
    await putCli(join(machine.root, "new"));
    const found = await findPulumi(
      machine.options({ PATH: `${join(machine.root, "old")}:${join(machine.root, "new")}` }),
    );
    expect(found).toMatchObject({ source: "path", binDir: join(machine.root, "new") });
  });

  it.each(cliNames.slice(1))("is passed over when %s is missing, and the failure names it", async (missing) => {
    await putCli(
      join(machine.root, "bin"),
      pulumiVersion,
      cliNames.filter((name) => name !== missing),
    );
    expect((await failure(machine.options())).parts.detail).toContain(
      `path: ${join(machine.root, "bin")} has no ${missing}`,
    );
  });

  it("may have the language host and the launcher in other folders, or where pulumi links to", async () => {
    await putCli(join(machine.root, "a"), pulumiVersion, ["pulumi", "pulumi-language-nodejs"]);
    await putCli(join(machine.root, "b"), pulumiVersion, ["pulumi-resource-pulumi-nodejs"]);
    await mkdir(join(machine.root, "links"));
    await symlink(join(machine.root, "a", "pulumi"), join(machine.root, "links", "pulumi"));
    const found = await findPulumi(
      machine.options({ PATH: `${join(machine.root, "links")}:${join(machine.root, "b")}` }),
    );
    expect(found).toMatchObject({ source: "path", binDir: join(machine.root, "links") });
  });

  it("is passed over when its pulumi does not run", async () => {
    await putCli(join(machine.root, "bin"));
    await putScript(join(machine.root, "bin", "pulumi"), "#!/bin/sh\nexit 1\n");
    expect(await findPulumi(machine.options())).toBeUndefined();
  });

  it("never runs the launcher of the npm package pulumi, which would download", async () => {
    const launcher = join(machine.root, "node_modules", "pulumi", "run.js");
    await putScript(launcher, `#!/bin/sh\n: > ${join(machine.root, "ran")}\n`);
    await mkdir(join(machine.root, "bin"));
    await symlink(launcher, join(machine.root, "bin", "pulumi"));
    expect(await findPulumi(machine.options())).toBeUndefined();
    expect(existsSync(join(machine.root, "ran"))).toBe(false);
  });
});

describe("the cache", () => {
  it("is ~/.pulumi/versions/VERSION/bin, where the npm package pulumi looks", async () => {
    await putCli(machine.cache);
    expect(await findPulumi(machine.options())).toMatchObject({ source: "cache", binDir: machine.cache });
  });

  it("is under PULUMI_HOME when that is set", async () => {
    const binDir = join(machine.root, "elsewhere", "versions", pulumiVersion, "bin");
    await putCli(binDir);
    expect(await findPulumi(machine.options({ PULUMI_HOME: join(machine.root, "elsewhere") }))).toMatchObject({
      binDir,
    });
  });

  it("is passed over when it is half full", async () => {
    await putCli(machine.cache, pulumiVersion, ["pulumi"]);
    expect(await findPulumi(machine.options())).toBeUndefined();
  });

  it("is not made by looking for it", async () => {
    expect(await findPulumi(machine.options())).toBeUndefined();
    expect(await readdir(machine.root)).toEqual([]);
  });

  it("is not looked at when the caller leaves it out", async () => {
    await putCli(machine.cache);
    expect(await findPulumi(machine.options({}, { sources: ["path"] }))).toBeUndefined();
  });
});
