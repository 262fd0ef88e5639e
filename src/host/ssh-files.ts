import { digestFunctions } from "./file-digest.js";
import type { FileStatus } from "./host.js";
import { cutScript } from "./transfer-script.js";

/** `/proc/self` tells the tools of Linux from those of BSD, and no process is needed to look. */
const linux = "linux() { [ -e /proc/self ]; }";

/**
 * `make_folder` makes the folder of a path. `put` renames as the system does: never into a folder, and over a link
 * instead of to where it leads. `$2` is a temporary name in most scripts, and goes with the script.
 */
const placing = String.raw`${linux}
make_folder() { folder=${"${1%/*}"}; mkdir -p -- "${"${folder:-/}"}"; }
put() {
  if linux; then mv -fT -- "$1" "$2"; else perl -e 'rename($ARGV[0], $ARGV[1]) or die "$!\n"' -- "$1" "$2"; fi
}`;

/** `$2`: temporary name, `$3`: mode, `$4`: how many bytes follow. All of them are there before they get their name. */
const receiving = String.raw`${placing}
make_folder "$1" || exit 1
trap 'rm -f -- "$2"' EXIT
(umask 077; get "$4" >"$2") && chmod "$3" "$2" && { sync "$2" 2>/dev/null || sync; } || exit 1`;

/** A folder that is not there is told from one that may not be read. */
const entering = 'ls -d -- "$1/." >/dev/null && cd -- "$1" || exit 1';

/**
 * What a host's shell does with files. `$1` is the path. All paths are absolute, so none begins with a hyphen. What
 * fails says why, in the words of {@link codeOfMessage}.
 */
export const fileScripts = {
  read: 'cat -- "$1"',
  write: `${receiving}\nput "$2" "$1"`,
  create: String.raw`${receiving}
if linux; then ln -T -- "$2" "$1"; else perl -e 'link($ARGV[0], $ARGV[1]) or die "$!\n"' -- "$2" "$1"; fi`,
  /** `$2`: so many bytes stay. */
  cut: cutScript,
  /** What comes after the script, to its end. */
  append: 'cat <&3 >>"$1"',
  /** `$2`: what the process' mask has to be for the mode. */
  makeDirectory: 'umask "$2"; mkdir -p -- "$1"',
  remove: 'rm -rf -- "$1"',
  removeIfEmpty: 'rmdir -- "$1"',
  /** `$2`: the new name. */
  rename: `${placing}\nmake_folder "$2" && put "$1" "$2"`,
  /** `$2`: temporary name, `$3`: the link's text. */
  link: `${placing}\nmake_folder "$1" || exit 1\ntrap 'rm -f -- "$2"' EXIT\nln -s -- "$3" "$2" && put "$2" "$1"`,
  /** Exit code 3 for something else than a link. */
  readLink: 'if [ -L "$1" ]; then readlink -n -- "$1"; else ls -d -- "$1" >/dev/null || exit 1; exit 3; fi',
  list: `${entering}\nfind . -mindepth 1 -maxdepth 1 -print0`,
  status: `${linux}\nif linux; then stat -c '%f %s %.9Z' -- "$1"; else stat -f '%Xp %z %Fc' -- "$1"; fi`,
  // No path that `find` prints has two slashes in a row.
  walk: String.raw`${entering}
${linux}
if linux; then format='-c%f %s %.9Z %n//'; else format='-f%Xp %z %Fc %N//'; fi
exec 9>&1
said=$(find . ! -type d -exec stat "$format" {} + 2>&1 >&9) && exit
# What went away in the meantime is not below the folder any more.
said=$(printf '%s\n' "$said" | grep -v ': No such file or directory$') || exit 0
printf '%s\n' "$said" >&2
exit 1`,
  // What is not a file is left to the tools that say so in the words of the system.
  sha256: `${digestFunctions}
if [ -f "$1" ] && [ -r "$1" ]; then digest <"$1"
elif command -v sha256sum >/dev/null; then sha256sum -- "$1"; else shasum -a 256 -- "$1"; fi`,
  /** Succeeds for a socket that one may connect to. */
  useSocket: 'ls -d -- "$1" >/dev/null && { [ -w "$1" ] || { echo "$1: Permission denied" >&2; exit 1; }; }',
  free: String.raw`path=$1; until [ -e "$path" ]; do path=${"${path%/*}"}; path=${"${path:-/}"}; done; df -Pk -- "$path"`,
  ports: `${linux}\nif linux; then echo proc; cat /proc/net/tcp; cat /proc/net/tcp6 2>/dev/null; true
else echo netstat; netstat -an -p tcp; fi`,
  processes: `${linux}\nif linux; then echo proc; cd /proc && grep -zasH '' [0-9]*/cmdline; true
else echo ps; ps -axww -o pid=,command=; fi`,
} as const;

const kinds: Readonly<Record<number, FileStatus["kind"]>> = {
  0o100000: "file",
  0o040000: "directory",
  0o120000: "link",
};

/** A line of `stat`: mode with the kind, hexadecimal, size in bytes, and time of change in seconds, to nanoseconds. */
export function parseStatus(line: string): FileStatus | undefined {
  const [, mode = "", size, seconds = "", fraction = ""] =
    /^([0-9a-fA-F]+) (\d+) (-?\d+)(?:[.,](\d+))?$/.exec(line.trim()) ?? [];
  if (size === undefined) return undefined;
  const bits = Number.parseInt(mode, 16);
  return {
    kind: kinds[bits & 0o170000] ?? "other",
    size: Number(size),
    mode: bits & 0o7777,
    changedAt: String(BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0").slice(0, 9))),
  };
}

/** What the script `walk` prints. */
export function parseWalk(text: string): Map<string, FileStatus> {
  const found = new Map<string, FileStatus>();
  for (const record of text.split("//\n")) {
    const [, line = "", name] = /^(\S+ \S+ \S+) \.\/(.*)$/s.exec(record) ?? [];
    const status = parseStatus(line);
    if (name !== undefined && status !== undefined) found.set(name, status);
  }
  return found;
}

/** Names that the script `list` prints, sorted. */
export function parseList(text: string): string[] {
  const names = text.split("\0").filter((name) => name !== "");
  return names.map((name) => name.replace(/^\.\//, "")).sort();
}

/** Bytes that `df -Pk` tells are available. */
export function parseAvailable(text: string): number {
  // A file system's name and a mount point may hold blanks; the four fields between them do not.
  return Number(/\s\d+\s+-?\d+\s+(-?\d+)\s+(?:\d+%|-)\s+\/.*$/.exec(text.trimEnd())?.[1] ?? 0) * 1024;
}

/** Processes, of those that the script `processes` prints, whose arguments hold the given ones in a row. */
export function parseProcesses(text: string, args: readonly string[]): number[] {
  const [format, ...rest] = text.split("\n");
  const processes = format === "proc" ? processesByProc(rest.join("\n")) : processesByPs(rest);
  const wanted = ` ${args.join(" ")} `;
  return processes.filter(([, line]) => ` ${line} `.includes(wanted)).map(([pid]) => Number(pid));
}

type CommandLine = readonly [pid: string, line: string];

/** Each argument comes as `<pid>/cmdline:<argument>` with a zero byte. */
function processesByProc(text: string): CommandLine[] {
  const lines = new Map<string, string>();
  for (const record of text.split("\0")) {
    const [, pid, argument = ""] = /^(\d+)\/cmdline:(.*)$/s.exec(record) ?? [];
    if (pid === undefined) continue;
    const before = lines.get(pid);
    lines.set(pid, before === undefined ? argument : `${before} ${argument}`);
  }
  return [...lines];
}

function processesByPs(lines: readonly string[]): CommandLine[] {
  return lines.flatMap((line) => {
    const [, pid, command = ""] = /^\s*(\d+)\s(.*)$/.exec(line) ?? [];
    return pid === undefined ? [] : [[pid, command] as const];
  });
}
