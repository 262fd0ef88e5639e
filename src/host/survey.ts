/** A look at what a host lets Berth do, in one command that changes nothing. */
import { BerthError } from "../lib/errors.js";
import type { Clock } from "../lib/clock.js";
import { dockerSocket } from "./docker-socket.js";
import type { Host } from "./host.js";

const surveySeconds = 30;

/** Tools that a host is asked for. */
export const surveyedTools = [
  ...["cat", "chmod", "cp", "curl", "dd", "df", "env", "find", "getconf", "grep", "head", "id", "ln", "ls"],
  ...["mkdir", "mktemp", "mv", "netstat", "perl", "printenv", "ps", "readlink", "rm", "rmdir", "sed", "setsid"],
  ...["sha256sum", "shasum", "sleep", "stat", "sync", "tail", "tr", "uname", "wget"],
] as const;

/** What drivers make, and whether this user may open it. */
export const surveyedDevices = [
  ...["/proc/driver/nvidia/version", "/dev/kfd", "/dev/mkfd", "/dev/davinci_manager"],
  ...["/dev/mxcd", "/dev/iluvatar0", "/dev/cambricon_ctl", "/dev/alixpu_ctl"],
] as const;

export interface FileAccess {
  readonly path: string;
  readonly owner: string;
  readonly group: string;
  readonly mode: number;
  readonly readable: boolean;
  readonly writable: boolean;
}

export interface PciDevice {
  /** `0x10de` */
  readonly vendor: string;
  readonly driver: string | undefined;
}

export interface HostSurvey {
  readonly os: string;
  readonly user: string;
  readonly groups: readonly string[];
  readonly tools: ReadonlySet<string>;
  /** Whether `stat`, `grep` and `wget` are GNU's: others know fewer options. */
  readonly gnu: ReadonlySet<string>;
  /** The nearest folder that is there, on the way to the data directory, without links. */
  readonly nearest: FileAccess;
  /** Things right in the data directory that another user owns. */
  readonly othersFiles: readonly string[];
  /** Of the file system's mount; undefined where the system does not tell. */
  readonly mountOptions: readonly string[] | undefined;
  readonly devices: readonly FileAccess[];
  /** Sockets of container engines. */
  readonly sockets: readonly FileAccess[];
  /** Accelerators on the PCI bus, and what else calculates or draws. */
  readonly pci: readonly PciDevice[];
  /** Whether systemd is the system's manager, and whether it keeps this user's; undefined where it does not tell. */
  readonly systemd: boolean;
  readonly lingers: boolean | undefined;
  /** The host's clock less this machine's, as far as is certain. */
  readonly clockOffsetSeconds: number;
}

/** `$1`: data directory; then tools, `--`, and devices. Each line is a word and what it is about. */
const script = String.raw`
say() { printf '%s %s\n' "$1" "$2"; }
seen() {
  if [ -e /proc/self ]; then about=$(stat -L -c '%a %U %G' -- "$2"); else about=$(stat -L -f '%Lp %Su %Sg' -- "$2"); fi
  read=no; write=no
  [ -r "$2" ] && read=yes
  [ -w "$2" ] && write=yes
  say "$1" "$about $read $write $2"
}
dir=$1
shift
user=$(id -un)
say os "$(uname -s)"
say user "$user"
say groups "$(id -Gn)"
while [ "$1" != -- ]; do
  command -v "$1" >/dev/null 2>&1 && say tool "$1"
  shift
done
shift
stat -c %.9Z / >/dev/null 2>&1 && say gnu stat
grep -zs '' /dev/null >/dev/null 2>&1
[ $? -le 1 ] && say gnu grep
wget --version 2>/dev/null | grep -q '^GNU Wget' && say gnu wget
folder=$dir
until [ -d "$folder" ]; do folder=${"${folder%/*}"}; folder=${"${folder:-/}"}; done
seen nearest "$(cd -- "$folder" 2>/dev/null && pwd -P || printf %s "$folder")"
if [ -d "$dir" ]; then find "$dir/." -mindepth 1 -maxdepth 1 ! -user "$user" 2>/dev/null | while read -r path; do say other "${"${path##*/}"}"; done; fi
for path; do [ -e "$path" ] && seen device "$path"; done
for path in ${dockerSocket} "$XDG_RUNTIME_DIR/docker.sock" "$XDG_RUNTIME_DIR/podman/podman.sock"; do
  [ -S "$path" ] && seen socket "$path"
done
for device in /sys/bus/pci/devices/*; do
  [ -e "$device/class" ] || continue
  case $(cat "$device/class") in
    0x03* | 0x12*) say pci "$(cat "$device/vendor") $(basename "$(readlink "$device/driver")" 2>/dev/null)" ;;
  esac
done
if [ -d /run/systemd/system ]; then
  say systemd yes
  say linger "$(loginctl show-user "$user" --property=Linger --value 2>/dev/null || { [ -e "/var/lib/systemd/linger/$user" ] && echo yes || echo no; })"
fi
say clock "$(date +%s)"
`;

/**
 * @param dataDir need not exist
 * @throws what {@link Host.run} throws; BerthError `command-failed` where the host's shell does not do it
 */
export async function surveyHost(
  host: Host,
  dataDir: string,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<HostSurvey> {
  const words = ["sh", dataDir, ...surveyedTools, "--", ...surveyedDevices] as const;
  const begun = clock.now().getTime();
  const result = await host.run(["/bin/sh", "-c", script, ...words], { timeoutSeconds: surveySeconds, signal });
  const ended = clock.now().getTime();
  const mounts = await host.readText("/proc/self/mounts").catch(() => undefined);
  const survey = parseSurvey(result.stdout, { mounts, begun, ended });
  if (survey !== undefined) return survey;
  throw new BerthError("command-failed", {
    where: `host ${host.name}`,
    what: "the host's shell could not tell what the host has",
    got: `exit code ${result.exitCode}`,
    detail: result.stderr,
  });
}

/** Between when the host was asked and when it had answered, in milliseconds since 1970. */
interface Moment {
  readonly mounts: string | undefined;
  readonly begun: number;
  readonly ended: number;
}

/** What the script printed; undefined when it did not come to its end. */
export function parseSurvey(text: string, { mounts, begun, ended }: Moment): HostSurvey | undefined {
  const lines = text
    .split("\n")
    .map((line) => [line.split(" ", 1).join(""), line.slice(line.indexOf(" ") + 1)] as const);
  const all = (word: string) => lines.filter(([first]) => first === word).map(([, rest]) => rest);
  const [os] = all("os");
  const [user] = all("user");
  const [clock] = all("clock");
  const [nearest] = all("nearest").flatMap(parseAccess);
  if (os === undefined || user === undefined || clock === undefined || nearest === undefined) return undefined;
  const [linger] = all("linger");
  return {
    os,
    user,
    groups: all("groups").flatMap((names) => names.split(" ")),
    tools: new Set(all("tool")),
    gnu: new Set(all("gnu")),
    nearest,
    othersFiles: all("other"),
    mountOptions: mounts === undefined ? undefined : mountOptions(mounts, nearest.path),
    devices: all("device").flatMap(parseAccess),
    sockets: all("socket").flatMap(parseAccess),
    pci: all("pci").map(parsePci),
    systemd: all("systemd").length > 0,
    lingers: linger === undefined ? undefined : linger === "yes",
    clockOffsetSeconds: offsetOf(Number(clock), begun / 1000, ended / 1000),
  };
}

/** `755 root root yes no /a path` */
function parseAccess(text: string): FileAccess[] {
  const [, mode = "", owner = "", group = "", read, write, path] =
    /^(\d+) (\S+) (\S+) (yes|no) (yes|no) (.*)$/.exec(text) ?? [];
  if (path === undefined) return [];
  return [{ path, owner, group, mode: Number.parseInt(mode, 8), readable: read === "yes", writable: write === "yes" }];
}

function parsePci(text: string): PciDevice {
  const [vendor = "", driver = ""] = text.split(" ");
  return { vendor, driver: driver === "" ? undefined : driver };
}

/** A clock that shows whole seconds is right when it shows one between asking and answer. */
function offsetOf(shown: number, begun: number, ended: number): number {
  if (shown + 1 < begun) return Math.round(shown + 1 - begun);
  return shown > ended ? Math.round(shown - ended) : 0;
}

/** Options of the mount that a path lies in, by `/proc/self/mounts`. */
export function mountOptions(mounts: string, path: string): string[] | undefined {
  let found: { at: string; options: string[] } | undefined;
  for (const line of mounts.split("\n")) {
    const [, point = "", , options] = line.split(" ");
    const at = point.replaceAll(/\\([0-7]{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8)));
    if (options === undefined || !(at === "/" || path === at || path.startsWith(`${at}/`))) continue;
    // A later mount at the same place covers the one before.
    if (found === undefined || at.length >= found.at.length) found = { at, options: options.split(",") };
  }
  return found?.options;
}
