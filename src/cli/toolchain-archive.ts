import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { execa } from "execa";
import { extract } from "tar";
import { z } from "zod";
import { BerthError, messageOf, systemCode } from "../lib/errors.js";
import { lastLines } from "../lib/format.js";

/** The official name of the CLI's archive for this machine; `version` without a leading `v`. */
export function archiveName(version: string): string {
  return `pulumi-v${version}-${process.platform}-${process.arch}.tar.gz`;
}

/**
 * Unpacks the CLI's archive into an empty folder, without its leading `pulumi/`. Only plain files in `pulumi/` are
 * accepted, as Pulumi publishes it: no links, no other folders, nothing outside. Returns where the CLI came from, or
 * why the archive cannot be used; the folder may then hold a part of it.
 *
 * @throws BerthError `checksum-mismatch` when it is not what the SHA256SUMS beside it says
 */
export async function unpackArchive(archive: string, folder: string): Promise<{ detail: string } | { reason: string }> {
  if (!existsSync(archive)) return { reason: `there is no ${archive}` };
  const verified = await verifyChecksum(archive);
  const refused: string[] = [];
  try {
    await extract({
      file: archive,
      cwd: folder,
      strip: 1,
      strict: true,
      preserveOwner: false,
      filter: (path, entry) => {
        const type = "type" in entry ? entry.type : "unknown";
        if (type === "Directory" && path === "pulumi/") return true;
        if (type === "File" && /^pulumi\/\w[\w.-]*$/.test(path)) return true;
        refused.push(`${path} (${type})`);
        return false;
      },
    });
  } catch (error) {
    if (systemCode(error) === "ENOSPC") throw error;
    return { reason: `${archive} is damaged: ${messageOf(error)}` };
  }
  if (refused.length > 0) return { reason: `${archive} holds more than files in pulumi/: ${refused.join(", ")}` };
  return {
    detail: `from the offline archive ${archive} (${verified ? "sha256 verified" : "no SHA256SUMS beside it"})`,
  };
}

const pluginList = z.array(z.object({ name: z.string(), version: z.string().optional() }));

export interface InstalledPlugins {
  /** Of what the folder BERTH_TOOLCHAIN has, by the plugin's name. Pulumi has it now. */
  readonly versions: Readonly<Record<string, string>>;
  /** What Pulumi did not have before, as `name version`. */
  readonly installed: readonly string[];
  /** What is wanted, and neither Pulumi nor the folder has it. */
  readonly missing: readonly string[];
}

/**
 * Installs the wanted plugins whose official archives lie in the folder BERTH_TOOLCHAIN and that Pulumi does not have
 * yet. Does nothing when BERTH_TOOLCHAIN is not set: Pulumi then downloads them itself.
 *
 * @throws BerthError `checksum-mismatch`; `pulumi-failed`
 */
export async function installPlugins(
  { binDir }: { binDir: string },
  wanted: readonly string[],
  options: { environment: Readonly<Record<string, string | undefined>>; report(line: string): void },
): Promise<InstalledPlugins> {
  const offline = options.environment["BERTH_TOOLCHAIN"] ?? "";
  if (offline === "" || wanted.length === 0) return { versions: {}, installed: [], missing: [] };
  const pulumi = async (...args: string[]): Promise<string> => {
    const env = { ...options.environment, PULUMI_SKIP_UPDATE_CHECK: "true" };
    const run = await execa(join(binDir, "pulumi"), args, { env, extendEnv: false, stdin: "ignore", reject: false });
    if (!run.failed) return run.stdout;
    const what = `pulumi ${args.join(" ")} failed`;
    throw new BerthError("pulumi-failed", { what, detail: lastLines(run.stderr, 20) });
  };
  const present = pluginList.parse(JSON.parse(await pulumi("plugin", "ls", "--json")));
  const installed: string[] = [];
  const archives = (await pluginArchives(offline)).filter(({ name }) => wanted.includes(name));
  for (const { archive, name, version } of archives) {
    if (present.some((plugin) => plugin.name === name && plugin.version === version)) continue;
    await verifyChecksum(archive);
    options.report(`installing the Pulumi plugin ${name} ${version}`);
    await pulumi("plugin", "install", "resource", name, version, "--file", archive);
    installed.push(`${name} ${version}`);
  }
  const versions = Object.fromEntries(archives.map(({ name, version }) => [name, version]));
  const known = new Set([...archives, ...present].map(({ name }) => name));
  return { versions, installed, missing: wanted.filter((name) => !known.has(name)) };
}

interface PluginArchive {
  archive: string;
  name: string;
  version: string;
}

/** The plugin archives for this machine. Unlike the CLI's, their names say `amd64`. */
async function pluginArchives(folder: string): Promise<PluginArchive[]> {
  const arch = process.arch === "x64" ? "amd64" : process.arch;
  const form = new RegExp(`^pulumi-resource-(.+)-v(\\d+\\.\\d+\\.\\d+.*)-${process.platform}-${arch}\\.tar\\.gz$`);
  return (await readdir(folder)).sort().flatMap((file) => {
    const [, name, version] = form.exec(file) ?? [];
    return name === undefined || version === undefined ? [] : [{ archive: join(folder, file), name, version }];
  });
}

/** False when there is no SHA256SUMS beside the file. */
async function verifyChecksum(file: string): Promise<boolean> {
  const list = join(dirname(file), "SHA256SUMS");
  if (!existsSync(list)) return false;
  const lines = (await readFile(list, "utf8")).split("\n").map((line) => /^([0-9a-fA-F]{64}) [ *](.+?)\r?$/.exec(line));
  const expected = lines.find((line) => line?.[2] === basename(file))?.[1]?.toLowerCase();
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  const got = hash.digest("hex");
  if (got === expected) return true;
  throw new BerthError("checksum-mismatch", {
    what: "the archive is not what SHA256SUMS says",
    where: file,
    got,
    expected: expected ?? `a line for it in ${list}`,
    hint: "Copy the archive and SHA256SUMS again from where they came.",
  });
}
