/** What goes wrong when a release is installed, and how it is told: the tables of `install-hostile.test.ts`. */
import type { DownloadPace } from "../../src/host/transfer-watch.js";
import type { BinaryRelease } from "../../src/install/binary.js";
import { sha256 } from "../../src/lib/canonical.js";
import type { ArchiveFormat, Member } from "../support/archives.js";
import { breakOff, drip, endless, redirect, stall, status, whole, type Behaviour } from "../support/hostile-server.js";

export function engine(script = "echo engine 1.0"): Member {
  return { name: "engine/bin/engine", text: `#!/bin/sh\n${script}\n`, mode: 0o755 };
}

/** What does not pack well, so that an archive has some size. */
export const padding: Member = {
  name: "engine/padding",
  text: Array.from({ length: 400 }, (_, index) => sha256(String(index))).join(""),
};

export interface Expected {
  readonly code: string;
  readonly got: string | RegExp;
  readonly expected: string | RegExp;
}

/** The server does not give the archive that is pinned. */
export interface DownloadCase extends Expected {
  readonly what: string;
  readonly server: (archive: Buffer, url: string) => Behaviour;
  readonly pace?: Partial<DownloadPace>;
  readonly release?: (archive: Buffer) => Partial<BinaryRelease>;
}

export const downloadCases: readonly DownloadCase[] = [
  {
    what: "another archive than the one that is pinned",
    server: () => whole(Buffer.from("something else")),
    code: "checksum-mismatch",
    got: `sha256 ${sha256("something else")} (14 bytes)`,
    expected: /^sha256 [0-9a-f]{64}$/,
  },
  {
    what: "a truncated archive, again and again",
    server: (archive) => breakOff(archive, 1000),
    code: "download-failed",
    got: /^\d{4} of \d{5} bytes, then /,
    expected: /^\d{5} bytes$/,
  },
  {
    what: "a truncated archive as if it were whole",
    server: (archive) => whole(archive.subarray(0, 5000)),
    release: (archive) => ({ sizeBytes: archive.length }),
    code: "checksum-mismatch",
    got: /^sha256 [0-9a-f]{64} \(5000 bytes\)$/,
    expected: /^sha256 [0-9a-f]{64} \(\d{5} bytes\)$/,
  },
  {
    what: "bytes without end",
    server: () => endless(),
    release: (archive) => ({ sizeBytes: archive.length }),
    code: "download-failed",
    got: /^\d+ bytes and no end$/,
    expected: /^at most \d{5} bytes$/,
  },
  {
    what: "bytes without end, where no size is pinned",
    server: () => endless(),
    code: "download-failed",
    got: /^\d+ bytes and no end$/,
    expected: "at most 1000000 bytes",
  },
  {
    what: "an HTML page with status 200",
    server: () => whole(Buffer.from("\n<!DOCTYPE html><html><title>Sign in</title></html>"), "text/html"),
    code: "checksum-mismatch",
    got: /^sha256 [0-9a-f]{64} \(51 bytes of HTML\)$/,
    expected: /^sha256 [0-9a-f]{64}$/,
  },
  {
    what: "404",
    server: () => status(404, "<html>not found</html>"),
    code: "download-failed",
    got: "HTTP status 404",
    expected: "200 or 206",
  },
  {
    what: "503, again and again",
    server: () => status(503),
    code: "download-failed",
    got: "HTTP status 503",
    expected: "200 or 206",
  },
  {
    what: "a slow drip",
    server: (archive) => drip(archive),
    pace: { slowest: { bytesPerSecond: 1000, windowSeconds: 0.3 } },
    code: "download-failed",
    got: /^\d+ of \d{5} bytes, then the server sent only \d+ bytes in 0.3 s$/,
    expected: /^\d{5} bytes$/,
  },
  {
    what: "a beginning, and then silence",
    server: (archive) => stall(archive, 1000),
    pace: { idleSeconds: 0.3 },
    code: "download-failed",
    got: /^\d+ of \d{5} bytes, then the server sent nothing for 0.3 s$/,
    expected: /^\d{5} bytes$/,
  },
  {
    what: "a circle of redirects",
    server: (_, url) => redirect(url),
    code: "download-failed",
    got: "more than 20 redirects",
    expected: "the file",
  },
];

/** The archive that is pinned is itself a bad one. Its members may try to reach a folder that is not theirs. */
export interface ArchiveCase extends Expected {
  readonly what: string;
  readonly format: ArchiveFormat;
  readonly members: (elsewhere: string) => readonly Member[];
  readonly spoil?: (archive: Buffer) => Buffer;
}

const inside = "members that stay inside the archive's own folder";

export const archiveCases: readonly ArchiveCase[] = [
  ...(["tar.gz", "zip"] as const).flatMap((format): ArchiveCase[] => [
    {
      what: "an archive bomb",
      format,
      members: () => [engine(), { name: "zeros", zeros: 50_000_000 }],
      code: "install-failed",
      got: "'zeros' makes it more than 1000000 bytes unpacked",
      expected: "at most 1000000 bytes",
    },
    {
      what: "a path that has a .. in it",
      format,
      members: () => [engine(), { name: "../../../../../outside", text: "x" }],
      code: "install-failed",
      got: "'../../../../../outside' has a .. in it",
      expected: inside,
    },
    {
      what: "a path of another folder",
      format,
      members: (elsewhere) => [engine(), { name: `${elsewhere}/outside`, text: "x" }],
      code: "install-failed",
      got: /outside' is an absolute path$/,
      expected: inside,
    },
    {
      what: "a link outside and a file written through it",
      format,
      members: (elsewhere) => [
        engine(),
        { name: "way", kind: "link", target: elsewhere },
        { name: "way/outside", text: "x" },
      ],
      code: "install-failed",
      got: /^'way' is a link to '.*'$/,
      expected: inside,
    },
    {
      what: "a device file",
      format,
      members: () => [engine(), { name: "engine/zero", kind: "device" }],
      code: "install-failed",
      got: "'engine/zero' is a device or pipe",
      expected: "files, folders and links",
    },
    {
      what: "an executable without its bit",
      format,
      members: () => [{ ...engine(), mode: 0o644 }],
      code: "install-failed",
      got: "engine/bin/engine with mode 0644",
      expected: "mode 0755",
    },
    {
      what: "no executable where it should be",
      format,
      members: () => [{ ...engine(), name: "engine-1.0/bin/engine" }, padding],
      code: "install-failed",
      got: "the executables engine-1.0/bin/engine",
      expected: "engine/bin/engine",
    },
    {
      what: "half of an archive",
      format,
      members: () => [engine(), padding],
      spoil: (archive) => archive.subarray(0, archive.length / 2),
      code: "install-failed",
      got: /^(?:EOFError|BadZipFile): /,
      expected: "a whole archive",
    },
  ]),
  {
    what: "an archive bomb",
    format: "tar.xz",
    members: () => [engine(), { name: "zeros", zeros: 50_000_000 }],
    code: "install-failed",
    got: "'zeros' makes it more than 1000000 bytes unpacked",
    expected: "at most 1000000 bytes",
  },
  {
    what: "no archive at all",
    format: "zip",
    members: () => [],
    spoil: () => Buffer.from("#!/bin/sh\n"),
    code: "install-failed",
    got: "a file that begins with b'#!/bin'",
    expected: "a tar.gz, tar.xz or zip archive",
  },
];

/** The engine is not the one that its pin calls it, or does not work. */
export const probeCases: readonly (Expected & { what: string; script: string; seconds?: number })[] = [
  {
    what: "tells another version",
    script: "echo engine 1.0.1",
    code: "install-failed",
    got: "engine 1.0.1",
    expected: "engine 1.0",
  },
  {
    what: "never ends when it is asked for its version",
    script: "sleep 1000",
    seconds: 0.3,
    code: "install-failed",
    got: "no end within 0.3 s",
    expected: "engine 1.0",
  },
  {
    what: "does not start",
    script: "echo no such library >&2; exit 127",
    code: "install-failed",
    got: "exit code 127: no such library",
    expected: "engine 1.0",
  },
];
