import { lookUp } from "../lib/record.js";
import type { HostFacts } from "../schema/facts.js";

/**
 * Tells what a system is, line by line, in one session: over ssh each has its price. `$1`: the data directory, which need
 * not exist, or nothing for the home folder. The other words are commands; of those that are there it tells.
 */
export const firstLookScript = String.raw`
echo "uname $(uname -srm)"
echo "user $(id -un)"
echo "home $HOME"
echo "cpus $(getconf _NPROCESSORS_ONLN)"
if [ "$(uname -s)" = Darwin ]; then
  echo "distribution macOS $(sw_vers -productVersion)"
  echo "ram $(sysctl -n hw.memsize)"
else
  sed -n 's/^PRETTY_NAME=/distribution /p' /etc/os-release 2>/dev/null
  sed -n 's/^MemTotal: *\([0-9]*\) kB$/ramKib \1/p' /proc/meminfo
fi
folder=${"${1:-$HOME}"}
until [ -d "$folder" ]; do folder=${"${folder%/*}"}; folder=${"${folder:-/}"}; done
df -Pk -- "$folder" | sed -n '$s/^/df /p'
[ ! -e /run/systemd/system ] || echo "systemd yes"
haproxy=$(PATH="$PATH:/usr/local/sbin:/usr/sbin"; command -v haproxy) &&
  echo "haproxy $haproxy $("$haproxy" -v 2>/dev/null | head -n 1)"
shift
for command do
  command -v "$command" >/dev/null 2>&1 && echo "command $command"
done
true`;

type Os = HostFacts["os"];
type Arch = HostFacts["arch"];

export interface FirstLook {
  /** As `uname` tells system and machine. */
  readonly platform: string;
  /** Undefined for systems that Berth does not run models on. */
  readonly os: Os | undefined;
  readonly arch: Arch | undefined;
  readonly kernel: string | undefined;
  readonly distribution: string;
  readonly cpus: number;
  readonly ramBytes: number;
  /** Size of the file system of the data directory. */
  readonly diskBytes: number;
  readonly user: string;
  readonly home: string;
  readonly hasSystemd: boolean;
  readonly haproxy: HostFacts["haproxy"];
  /** Commands that are there, of those that were asked for. */
  readonly commands: ReadonlySet<string>;
}

const systems: Readonly<Record<string, Os>> = { Linux: "linux", Darwin: "darwin" };
const machines: Readonly<Record<string, Arch>> = { x86_64: "x64", aarch64: "arm64", arm64: "arm64" };

/** Reads what {@link firstLookScript} prints. */
export function parseFirstLook(text: string): FirstLook {
  const lines = text.split("\n").map((line) => {
    const [, name = "", value = ""] = /^(\S+) (.*)$/.exec(line) ?? [];
    return [name, value] as const;
  });
  const valueOf = (wanted: string) => lines.find(([name]) => name === wanted)?.[1] ?? "";
  const [system = "?", kernel, machine = "?"] = valueOf("uname").split(" ");
  return {
    platform: `${system} ${machine}`,
    os: lookUp(systems, system),
    arch: lookUp(machines, machine),
    kernel,
    distribution: valueOf("distribution").replace(/^["']|["']$/g, "") || "unknown",
    cpus: Number(valueOf("cpus")),
    ramBytes: Number(valueOf("ram")) || Number(valueOf("ramKib")) * 1024,
    diskBytes: parseDf(valueOf("df")),
    user: valueOf("user"),
    home: valueOf("home"),
    hasSystemd: valueOf("systemd") === "yes",
    haproxy: parseHaproxy(valueOf("haproxy")),
    commands: new Set(lines.filter(([name]) => name === "command").map(([, value]) => value)),
  };
}

/** `/usr/sbin/haproxy HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/` */
function parseHaproxy(line: string): HostFacts["haproxy"] {
  const [, path, version] = /^(\/\S+) HA-?Proxy version (\S+)/.exec(line) ?? [];
  return path === undefined || version === undefined ? undefined : { path, version };
}

/** Size in bytes of the file system that a line of `df -Pk` tells of. */
function parseDf(line: string): number {
  // A file system's name and a mount point may hold blanks; the four fields between them do not.
  return Number(/\s(\d+)\s+-?\d+\s+-?\d+\s+(?:\d+%|-)\s+\/.*$/.exec(line)?.[1] ?? 0) * 1024;
}
