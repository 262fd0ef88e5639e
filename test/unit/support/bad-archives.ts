/** Archives that are not unpacked, and how that is told. */
import { crc32, gunzipSync, gzipSync } from "node:zlib";

import type { ArchiveFormat, Member } from "../../support/archives.js";

const inside = "members that stay inside the archive's own folder";
const different = "names that differ on every file system";
const kinds = "files, folders and links";

interface BadMembers {
  readonly what: string;
  readonly members: readonly Member[];
  readonly got: string | RegExp;
  readonly expected: string | RegExp;
}

/** With `zip: true` in zip files too: what is read of a member differs, how it is judged does not. */
const badMembers: readonly (BadMembers & { readonly zip?: true })[] = [
  {
    zip: true,
    what: "an absolute path",
    members: [{ name: "/tmp/x" }],
    got: "'/tmp/x' is an absolute path",
    expected: inside,
  },
  { zip: true, what: "..", members: [{ name: "a/../../x" }], got: "'a/../../x' has a .. in it", expected: inside },
  { what: ".. that stays inside", members: [{ name: "a/../x" }], got: "'a/../x' has a .. in it", expected: inside },
  {
    what: "a link to an absolute path",
    members: [{ name: "l", kind: "link", target: "/etc" }],
    got: "'l' is a link to '/etc'",
    expected: inside,
  },
  {
    zip: true,
    what: "a link that has a .. in it",
    members: [{ name: "a/l", kind: "link", target: "../../x" }],
    got: "'a/l' is a link to '../../x'",
    expected: inside,
  },
  {
    what: "a link that leads outside only through another link",
    members: [
      { name: "a/b/up", kind: "link", target: "../.." },
      { name: "l", kind: "link", target: "a/b/up/../x" },
    ],
    got: "'l' is a link to 'a/b/up/../x'",
    expected: inside,
  },
  {
    what: "a link through a link that comes later, of another case",
    members: [
      { name: "l", kind: "link", target: "A/b/UP/../x" },
      { name: "a/b/up", kind: "link", target: "../.." },
    ],
    got: "'l' is a link to 'A/b/UP/../x'",
    expected: inside,
  },
  {
    zip: true,
    what: "a file that is written through a link",
    members: [{ name: "a", kind: "link", target: "b" }, { name: "a/x" }],
    got: "'a' is a link already, so nothing can lie below it",
    expected: inside,
  },
  {
    what: "a file that is written through a link of another case",
    members: [{ name: "Dir", kind: "link", target: "b" }, { name: "dir/x" }],
    got: "'dir' is a link already, so nothing can lie below it",
    expected: inside,
  },
  {
    what: "links in a circle",
    members: [
      { name: "a", kind: "link", target: "b" },
      { name: "b", kind: "link", target: "a" },
    ],
    got: "'a' is a link that leads in a circle",
    expected: inside,
  },
  {
    what: "a link that takes the place of a file",
    members: [{ name: "a" }, { name: "a", kind: "link", target: "b" }],
    got: "'a' comes after 'a'",
    expected: different,
  },
  {
    what: "a file twice",
    members: [{ name: "a" }, { name: "./a" }],
    got: "'a' comes after 'a'",
    expected: different,
  },
  {
    what: "files that differ only by case",
    members: [{ name: "Straße/A" }, { name: "Straße/a" }],
    got: /^'Stra\\xdfe\/a' comes after 'Stra\\xdfe\/A'$/,
    expected: different,
  },
  {
    what: "files that differ only by how letters are composed",
    members: [{ name: "\u00e9" }, { name: "e\u0301" }],
    got: /comes after '\\xe9'$/,
    expected: different,
  },
  {
    what: "folders that differ only by case",
    members: [{ name: "lib/a" }, { name: "LIB/b" }],
    got: "'LIB' differs from 'lib' only by case",
    expected: different,
  },
  {
    what: "a file below a file",
    members: [{ name: "a" }, { name: "a/b" }],
    got: /'a' is a file already/,
    expected: inside,
  },
  {
    zip: true,
    what: "a device",
    members: [{ name: "zero", kind: "device" }],
    got: "'zero' is a device or pipe",
    expected: kinds,
  },
  {
    zip: true,
    what: "a pipe",
    members: [{ name: "pipe", kind: "pipe" }],
    got: "'pipe' is a device or pipe",
    expected: kinds,
  },
  {
    zip: true,
    what: "a name with a newline",
    members: [{ name: "a\nb" }],
    got: "'a\\nb' is not a plain name",
    expected: /printable/,
  },
  {
    what: "a name with backslashes",
    members: [{ name: "..\\x" }],
    got: /is not a plain name$/,
    expected: /printable/,
  },
  {
    what: "a name that is too long",
    members: [{ name: "x".repeat(256) }],
    got: /is not a plain name$/,
    expected: /printable/,
  },
  {
    what: "folders too deep",
    members: [{ name: "x/".repeat(501) + "y" }],
    got: /is not a plain name$/,
    expected: /printable/,
  },
  {
    zip: true,
    what: "more than it may unpack to",
    members: [{ name: "bomb", zeros: 20_000_000 }],
    got: "'bomb' makes it more than 1000000 bytes unpacked",
    expected: "at most 1000000 bytes",
  },
];

export const badArchives: readonly (BadMembers & { readonly format: ArchiveFormat })[] = [
  ...badMembers.map((row) => ({ format: "tar.gz" as const, ...row })),
  ...badMembers.filter(({ zip }) => zip === true).map((row) => ({ format: "zip" as const, ...row })),
  {
    format: "tar.gz",
    what: "a hard link to a path outside",
    members: [{ name: "l", kind: "hardLink", target: "../x" }],
    got: "'../x' has a .. in it",
    expected: inside,
  },
  {
    format: "tar.gz",
    what: "a hard link to a link",
    members: [
      { name: "a", kind: "link", target: "b" },
      { name: "l", kind: "hardLink", target: "a" },
    ],
    got: "'l' is a hard link to 'a'",
    expected: /hard links to files/,
  },
  {
    format: "tar.xz",
    what: "a member of a kind that nobody knows",
    members: [{ name: "z", kind: "unknown" }],
    got: "'z' is a member of type b'Z'",
    expected: kinds,
  },
  {
    format: "tar.gz",
    what: "attributes that would fill the memory",
    members: [{ name: "a", attributes: 300_000 }],
    got: "a header too large",
    expected: /at most 131072 bytes/,
  },
  {
    format: "zip",
    what: "a compression that may ask for any memory",
    members: [{ name: "a", compression: "ZIP_LZMA" }],
    got: "'a' is compressed by method 14",
    expected: /stored/,
  },
];

/** What Python's own libraries do not write. */
export const spoiltArchives: readonly {
  readonly what: string;
  readonly format: ArchiveFormat;
  readonly spoil: (archive: Buffer) => Buffer;
  readonly got: RegExp;
  readonly expected: string | RegExp;
}[] = [
  {
    what: "more members than any release has",
    format: "tar.gz",
    spoil: (archive) => {
      const header = gunzipSync(archive).subarray(0, 512);
      return gzipSync(Buffer.concat(new Array<Buffer>(100_001).fill(header)), { level: 1 });
    },
    got: /^more than 100000 members$/,
    expected: "at most 100000 members",
  },
  {
    what: "a damaged header that is not the first one",
    format: "tar.gz",
    spoil: (archive) => {
      const tar = gunzipSync(archive);
      tar.write("damaged", 512);
      return gzipSync(tar);
    },
    got: /^a damaged header: bad checksum$/,
    expected: "a whole archive",
  },
  {
    what: "a dictionary that would fill the memory",
    format: "tar.xz",
    spoil: (archive) => {
      const size = 4 * ((archive[12] ?? 0) + 1);
      const header = Buffer.from(archive.subarray(12, 12 + size));
      // 4 GB, in the flags of the first filter of the first block.
      header[4] = 40;
      header.writeUInt32LE(crc32(header.subarray(0, size - 4)), size - 4);
      return Buffer.concat([archive.subarray(0, 12), header, archive.subarray(12 + size)]);
    },
    got: /^LZMAError: Memory usage limit exceeded/,
    expected: "a whole archive",
  },
  {
    what: "members that are encrypted",
    format: "zip",
    spoil: (archive) => {
      archive.writeUInt16LE(1, archive.indexOf("PK\x01\x02") + 8);
      return archive;
    },
    got: /^'folder\/' is encrypted$/,
    expected: kinds,
  },
  {
    what: "a name that ends earlier for some programs",
    format: "zip",
    spoil: (archive) => Buffer.from(archive.toString("latin1").replaceAll("engine/bin", "engine\0bin"), "latin1"),
    got: /^'engine\\x00bin\/engine' is not a plain name$/,
    expected: /printable/,
  },
];
