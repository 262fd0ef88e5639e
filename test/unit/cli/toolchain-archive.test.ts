import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { Header, type HeaderData } from "tar";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { installPlugins } from "../../../src/cli/toolchain-archive.js";
import { findPulumi, obtainPulumi, pulumiVersion } from "../../../src/cli/toolchain.js";
import {
  answering,
  archiveName,
  cliNames,
  failure,
  Machine,
  putCli,
  putScript,
  unreachable,
} from "./toolchain-machine.js";

let machine: Machine;
beforeEach(async () => {
  machine = await Machine.create();
});
afterEach(() => machine.remove());

/** A gzipped tar of the given members, written block by block so that it can hold what no tar program writes. */
function archive(members: { path: string; text?: string; type?: HeaderData["type"]; linkpath?: string }[]): Buffer {
  const blocks = members.flatMap(({ path, text = "", type = "File", linkpath }) => {
    const header = Buffer.alloc(512);
    const size = Buffer.byteLength(text);
    new Header({ path, type, size, mode: 0o755, ...(linkpath === undefined ? {} : { linkpath }) }).encode(header, 0);
    return [header, Buffer.from(text), Buffer.alloc((512 - (size % 512)) % 512)];
  });
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}

function cliArchive(version = pulumiVersion): Buffer {
  const files = cliNames.map((name) => ({ path: `pulumi/${name}`, text: answering(version) }));
  return archive([{ path: "pulumi/", type: "Directory" }, ...files]);
}

function sums(files: Record<string, Buffer>): string {
  const line = ([name, content]: [string, Buffer]) => `${createHash("sha256").update(content).digest("hex")}  ${name}`;
  return `${Object.entries(files).map(line).join("\n")}\n`;
}

describe("the offline folder", () => {
  it("is unpacked into the cache, where the next run finds it", async () => {
    const content = cliArchive();
    const BERTH_TOOLCHAIN = await machine.offline({
      [archiveName]: content,
      SHA256SUMS: sums({ [archiveName]: content }),
    });
    const made = await obtainPulumi(machine.options({ BERTH_TOOLCHAIN }), unreachable);
    expect(made).toMatchObject({ source: "offline folder", version: pulumiVersion, binDir: machine.cache });
    expect(made.detail).toBe(
      `Pulumi ${pulumiVersion} from the offline archive ${join(BERTH_TOOLCHAIN, archiveName)} (sha256 verified)`,
    );
    expect(await machine.leftovers()).toEqual([]);
    expect(await findPulumi(machine.options())).toMatchObject({ source: "cache", binDir: machine.cache });
  });

  it("needs no SHA256SUMS, and the toolchain says when it was not verified", async () => {
    const BERTH_TOOLCHAIN = await machine.offline({ [archiveName]: cliArchive() });
    const { detail } = await obtainPulumi(machine.options({ BERTH_TOOLCHAIN }), unreachable);
    expect(detail).toContain("(no SHA256SUMS beside it)");
  });

  it("fails on a checksum that does not match, and takes nothing else instead", async () => {
    const content = cliArchive();
    const SHA256SUMS = `${"0".repeat(64)}  ${archiveName}\n`;
    const error = await failure(
      machine.options({ BERTH_TOOLCHAIN: await machine.offline({ [archiveName]: content, SHA256SUMS }) }),
    );
    expect(error.code).toBe("checksum-mismatch");
    expect(error.parts.got).toBe(createHash("sha256").update(content).digest("hex"));
    expect(error.parts.expected).toBe("0".repeat(64));
    expect(existsSync(machine.cache)).toBe(false);
  });

  it("fails when SHA256SUMS does not list the archive", async () => {
    const files = { [archiveName]: cliArchive(), SHA256SUMS: sums({ "another.tar.gz": Buffer.from("x") }) };
    const error = await failure(machine.options({ BERTH_TOOLCHAIN: await machine.offline(files) }));
    expect(error.code).toBe("checksum-mismatch");
    expect(error.parts.expected).toContain("a line for it in");
  });

  it("fails when the folder or the archive is missing, and asks no host", async () => {
    const never = { whyNoAnswer: () => expect.fail("asked a host") };
    const withoutFolder = await failure(machine.options({ BERTH_TOOLCHAIN: join(machine.root, "nowhere") }), never);
    const withoutArchive = await failure(machine.options({ BERTH_TOOLCHAIN: await machine.offline({}) }), never);
    expect(withoutFolder.message).toContain(`there is no ${join(machine.root, "nowhere", archiveName)}`);
    expect(withoutArchive.message).toContain(`there is no ${join(machine.root, "offline", archiveName)}`);
    expect(withoutArchive.code).toBe("toolchain-missing");
  });

  it.each([
    { what: "a path that escapes", member: { path: "pulumi/../../../../../escaped", text: "x" } },
    { what: "an absolute path", member: { path: "/pulumi/escaped", text: "x" } },
    { what: "a symbolic link", member: { path: "pulumi/link", type: "SymbolicLink", linkpath: "/etc" } as const },
    { what: "a hard link", member: { path: "pulumi/link", type: "Link", linkpath: "pulumi/pulumi" } as const },
    { what: "a file in another folder", member: { path: "other/file", text: "x" } },
  ])("refuses an archive with $what, and leaves nothing", async ({ member }) => {
    const files = cliNames.map((name) => ({ path: `pulumi/${name}`, text: answering(pulumiVersion) }));
    const BERTH_TOOLCHAIN = await machine.offline({ [archiveName]: archive([...files, member]) });
    const error = await failure(machine.options({ BERTH_TOOLCHAIN }));
    expect(error.parts.got).toContain(`holds more than files in pulumi/: ${member.path}`);
    expect(existsSync(machine.cache)).toBe(false);
    expect(await machine.leftovers()).toEqual([]);
    expect((await readdir(machine.root)).sort()).toEqual(["home", "offline"]);
  });

  it("refuses a truncated archive", async () => {
    const whole = cliArchive();
    const BERTH_TOOLCHAIN = await machine.offline({ [archiveName]: whole.subarray(0, whole.length - 40) });
    expect((await failure(machine.options({ BERTH_TOOLCHAIN }))).parts.got).toContain("is damaged");
    expect(existsSync(machine.cache)).toBe(false);
  });

  it("refuses an archive that holds another version than its name says", async () => {
    const BERTH_TOOLCHAIN = await machine.offline({ [archiveName]: cliArchive("3.1.0") });
    expect((await failure(machine.options({ BERTH_TOOLCHAIN }))).parts.got).toContain("is version 3.1.0");
    expect(existsSync(machine.cache)).toBe(false);
  });

  it("completes a cache that an earlier run left half full", async () => {
    await putCli(machine.cache, "3.1.0", ["pulumi"]);
    const BERTH_TOOLCHAIN = await machine.offline({ [archiveName]: cliArchive() });
    expect(await obtainPulumi(machine.options({ BERTH_TOOLCHAIN }), unreachable)).toMatchObject({
      source: "offline folder",
    });
    expect(await findPulumi(machine.options())).toMatchObject({ source: "cache", version: pulumiVersion });
  });

  it("puts pulumi into the cache last, so that a run that ends in the middle leaves none", async () => {
    await mkdir(join(machine.cache, "pulumi-resource-pulumi-nodejs", "in the way"), { recursive: true });
    const error = await failure(
      machine.options({ BERTH_TOOLCHAIN: await machine.offline({ [archiveName]: cliArchive() }) }),
    );
    expect(error.parts.what).toBe("the Pulumi CLI's cache cannot be written");
    expect(await readdir(machine.cache)).toEqual(["pulumi-language-nodejs", "pulumi-resource-pulumi-nodejs"]);
  });

  it("takes nothing from what a killed run left, and removes it hours later", async () => {
    const [fresh, old] = [join(machine.versions, ".berth-fresh"), join(machine.versions, ".berth-old")];
    for (const folder of [fresh, old]) await putCli(join(folder, "bin"));
    await utimes(old, new Date("2020-01-01"), new Date("2020-01-01"));
    expect(await findPulumi(machine.options())).toBeUndefined();
    await obtainPulumi(
      machine.options({ BERTH_TOOLCHAIN: await machine.offline({ [archiveName]: cliArchive() }) }),
      unreachable,
    );
    expect(await machine.leftovers()).toEqual([".berth-fresh"]);
  });

  it("may be unpacked by several processes at once", async () => {
    const options = machine.options({ BERTH_TOOLCHAIN: await machine.offline({ [archiveName]: cliArchive() }) });
    const made = await Promise.all(Array.from({ length: 4 }, () => obtainPulumi(options, unreachable)));
    expect(made.map(({ binDir }) => binDir)).toEqual(Array.from({ length: 4 }, () => machine.cache));
    expect((await readdir(machine.cache)).sort()).toEqual(cliNames);
    expect(await machine.leftovers()).toEqual([]);
  });

  it("fails with what to do when the cache cannot be written", async () => {
    await writeFile(join(machine.root, "file"), "");
    const environment = {
      BERTH_TOOLCHAIN: await machine.offline({ [archiveName]: cliArchive() }),
      PULUMI_HOME: join(machine.root, "file"),
    };
    const error = await failure(machine.options(environment));
    expect(error.code).toBe("toolchain-missing");
    expect(error.parts.hint).toBe("Set PULUMI_HOME to a folder that you may write.");
  });
});

describe("plugins in the offline folder", () => {
  const arch = process.arch === "x64" ? "amd64" : process.arch;
  const file = (name: string, version: string) =>
    `pulumi-resource-${name}-v${version}-${process.platform}-${arch}.tar.gz`;

  /** A `pulumi` that has docker 5.2.0 and notes how it was called. */
  async function pulumiWithDocker(): Promise<{ binDir: string; calls: () => Promise<string> }> {
    const [binDir, calls] = [join(machine.root, "cli"), join(machine.root, "calls")];
    const list = JSON.stringify([{ name: "docker", kind: "resource", version: "5.2.0", size: 1 }]);
    const text = `#!/bin/sh\necho "$@" >> ${calls}\nif [ "$2" = ls ]; then echo '${list}'; fi\n`;
    await putScript(join(binDir, "pulumi"), text);
    return { binDir, calls: () => readFile(calls, "utf8") };
  }

  it("are installed where Pulumi does not have that version yet", async () => {
    const [docker, command, foreign] = [
      file("docker", "5.2.0"),
      file("command", "4.5.0"),
      "pulumi-resource-x-v1.0.0-plan9-mips.tar.gz",
    ];
    const BERTH_TOOLCHAIN = await machine.offline({ [docker]: "", [command]: "", [foreign]: "", [archiveName]: "" });
    const { binDir, calls } = await pulumiWithDocker();
    const wanted = ["command", "docker", "random"];
    expect(await installPlugins({ binDir }, wanted, machine.options({ BERTH_TOOLCHAIN }))).toEqual({
      versions: { command: "4.5.0", docker: "5.2.0" },
      installed: ["command 4.5.0"],
      missing: ["random"],
    });
    expect((await calls()).trim().split("\n")).toEqual([
      "plugin ls --json",
      `plugin install resource command 4.5.0 --file ${join(BERTH_TOOLCHAIN, command)}`,
    ]);
  });

  it("are not installed when they are not what SHA256SUMS says", async () => {
    const SHA256SUMS = `${"0".repeat(64)}  ${file("command", "4.5.0")}\n`;
    const BERTH_TOOLCHAIN = await machine.offline({ [file("command", "4.5.0")]: "x", SHA256SUMS });
    const { binDir, calls } = await pulumiWithDocker();
    await expect(installPlugins({ binDir }, ["command"], machine.options({ BERTH_TOOLCHAIN }))).rejects.toThrow(
      "not what SHA256SUMS says",
    );
    expect(await calls()).toBe("plugin ls --json\n");
  });

  it("stay where they are when nothing wants them", async () => {
    const BERTH_TOOLCHAIN = await machine.offline({ [file("docker", "5.2.0")]: "", [file("command", "4.5.0")]: "" });
    const { binDir, calls } = await pulumiWithDocker();
    const { installed } = await installPlugins({ binDir }, ["docker"], machine.options({ BERTH_TOOLCHAIN }));
    expect(installed).toEqual([]);
    expect(await calls()).toBe("plugin ls --json\n");
  });

  it("are none without BERTH_TOOLCHAIN", async () => {
    const none = { versions: {}, installed: [], missing: [] };
    expect(await installPlugins({ binDir: join(machine.root, "none") }, ["command"], machine.options())).toEqual(none);
  });
});
