import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { execa } from "execa";

import { sha256 } from "../../src/lib/canonical.js";
import { repository } from "./toolchain.js";

const suite = "bookworm";
const usualMirror = "http://deb.debian.org/debian";
const packages = [
  "systemd",
  "systemd-sysv",
  "dbus",
  "dbus-user-session",
  "libpam-systemd",
  "python3",
  "python3-venv",
  "ca-certificates",
  "procps",
  // What the machine's own Node needs.
  "libstdc++6",
  "libatomic1",
];
const leftOut = ["./var/cache/apt", "./var/lib/apt/lists", "./usr/share/doc", "./usr/share/locale", "./usr/share/man"];

/**
 * The name of a container image that holds Debian with systemd. It is built once for each list of packages and kept,
 * by the engine and as an archive in `.berth/test-cache`. Needs root, `debootstrap`, and a Debian mirror: the one that
 * the machine's own package sources name, else the usual one.
 */
export function systemdImage(): Promise<string> {
  made ??= makeImage();
  return made;
}

let made: Promise<string> | undefined;

async function makeImage(): Promise<string> {
  const key = sha256(JSON.stringify([suite, packages, leftOut])).slice(0, 12);
  const image = `berth-test-systemd:${key}`;
  const { exitCode } = await execa("docker", ["image", "inspect", image], { reject: false });
  if (exitCode === 0) return image;
  const cache = join(repository, ".berth", "test-cache");
  const archive = join(cache, `systemd-${key}.tar`);
  const isThere = await stat(archive).then(
    () => true,
    () => false,
  );
  if (!isThere) await buildArchive(cache, archive);
  await execa("docker", ["import", archive, image]);
  return image;
}

async function buildArchive(cache: string, archive: string): Promise<void> {
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, "debootstrap-"));
  try {
    const root = join(work, "root");
    const wanted = ["--variant=minbase", `--include=${packages.join(",")}`, suite, root, await findMirror()];
    await execa("debootstrap", wanted, { env: { DEBIAN_FRONTEND: "noninteractive" } });
    const unpacked = join(work, "image.tar");
    await execa("tar", ["-C", root, ...leftOut.map((path) => `--exclude=${path}/*`), "-cf", unpacked, "."]);
    await rename(unpacked, archive);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function findMirror(): Promise<string> {
  const folder = "/etc/apt/sources.list.d";
  const names = await readdir(folder).catch(() => []);
  const files = ["/etc/apt/sources.list", ...names.map((name) => join(folder, name))];
  const texts = await Promise.all(files.map((file) => readFile(file, "utf8").catch(() => "")));
  return texts.map(mirrorOf).find((mirror) => mirror !== undefined) ?? usualMirror;
}

/** The mirror of the suite that a file of package sources names, in either of their two forms. */
function mirrorOf(text: string): string | undefined {
  const line = new RegExp(`^deb\\s+(?:\\[[^\\]]*\\]\\s+)?(https?://\\S+)\\s+${suite}\\s`, "m").exec(text)?.[1];
  const paragraphs = text.split(/\n\s*\n/).map((paragraph) => paragraph.replace(/^#.*\n?/gm, ""));
  const paragraph = paragraphs.find((each) => new RegExp(`^Suites:.*\\b${suite}(?:\\s|$)`, "m").test(each));
  return line ?? /^URIs:\s*(https?:\/\/\S+)/m.exec(paragraph ?? "")?.[1];
}
