import { mostRedirects } from "./download-failure.js";
import { digestFunctions, parseDigest } from "./file-digest.js";

/** How the script ends when none of the tools is there. */
export const noTool = 9;

/**
 * One try of a download by a machine's own curl or wget. Words: path, most bytes that the file may have or nothing, a tag,
 * and the tools that may be used. Lines with the tag tell of the script, all others are the server's headers. The
 * address comes by standard input, because it may hold a token, and after it a line with the header `Authorization`,
 * empty for none. curl leaves that out when it follows a redirect to another origin (curl(1), --location); wget would
 * not, so it is not used with one.
 *
 * A file that is there is the beginning, and the rest is asked for. Who writes to it holds a lock on it, where there is
 * `flock`: the tools of a process that was killed need a moment to end, and those of a host that fell silent longer.
 *
 * The limit on sizes of files ends a transfer that has no end; it counts blocks of 512 bytes. The file's SHA-256 is
 * taken beside, and told when all of it is there.
 */
export const transferScript = String.raw`${digestFunctions}
path=$1 most=$2 tag=$3
shift 3
exec 5>&1
say() { printf '%s %s\n' "$tag" "$*" >&5; }
size() { if [ -f "$path" ]; then echo $(($(wc -c <"$path"))); else echo 0; fi; }
folder=${"${path%/*}"}
IFS= read -r url
IFS= read -r authorization
find_tool() {
  for tool in "$@"; do
    if [ "$tool" = wget ] && [ -n "$authorization" ]; then continue; fi
    command -v "$tool" >/dev/null && return
  done
  exit ${noTool}
}
find_tool "$@"
mkdir -p -- "${"${folder:-/}"}" || exit 1
exec 8>>"$path" || exit 1
flock 8 2>/dev/null
begun=$(size)
if [ -n "$most" ] && [ "$begun" -gt "$most" ]; then : >"$path"; begun=0; fi
say begun "$begun"
say free "$(df -Pk -- "${"${folder:-/}"}" | tail -n 1)"
watch() {
  while :; do
    now=$(size)
    [ "$now" = "$told" ] || say at "$now"
    told=$now
    echo more
    sleep 0.2 >/dev/null 2>&1 5>&-
  done
}
transfer() {
  [ -z "$most" ] || ulimit -f $((most / 512 + 1))
  escaped=$(printf %s "$url" | sed 's/[\\"]/\\&/g')
  header=$(printf %s "$authorization" | sed 's/[\\"]/\\&/g')
  if [ "$tool" = curl ]; then
    limit=
    [ -z "$most" ] || limit="--max-filesize $((most - begun + 1))"
    [ "$begun" -eq 0 ] || resume="--continue-at $begun"
    {
      printf 'url = "%s"\n' "$escaped"
      [ -z "$header" ] || printf 'header = "Authorization: %s"\n' "$header"
    } | curl -q --config - --silent --show-error --fail --location --globoff --no-buffer \
      --max-redirs ${mostRedirects} --proto =http,https --connect-timeout 30 --header 'Accept-Encoding: identity' \
      --dump-header - --output "$path" $limit $resume
  else
    [ "$begun" -eq 0 ] || resume=--continue
    printf '%s\n' "$url" | wget --no-config --input-file=- --tries=1 --timeout=30 --max-redirect=${mostRedirects} \
      --no-verbose --server-response --header='Accept-Encoding: identity' --output-document="$path" $resume 2>&1
  fi
}
resume=
told=
[ -e "$path" ] || : >"$path"
{
watch 8>&- &
watcher=$!
(transfer) >&5
code=$?
{ kill -s KILL "$watcher"; wait "$watcher"; } 2>/dev/null
[ "$code" -ne 0 ] || echo all
if [ "$code" -eq 0 ] && [ ! -e "$path" ]; then : >"$path"; fi
if [ "$code" -ne 0 ] && [ -f "$path" ] && [ ! -s "$path" ]; then rm -f -- "$path"; fi
say at "$(size)"
say free "$(df -Pk -- "${"${folder:-/}"}" | tail -n 1)"
say end "$tool" "$code"
} | {
sum=$(follow "$path")
say sha256 "${"${sum%% *}"}"
}`;

/**
 * Leaves `$2` bytes of the file `$1`; with none it goes. Waits for what {@link transferScript} started. `dd` ends a file
 * where it is told to begin (POSIX).
 */
export const cutScript = `[ -e "$1" ] || exit 0
exec 8>>"$1" || exit 1
flock 8 2>/dev/null
if [ "$2" = 0 ]; then exec rm -f -- "$1"; fi
dd of="$1" bs=1 count=0 seek="$2" 2>/dev/null`;

export type DownloadTool = "curl" | "wget";

/** What a host told of a try so far. Sizes are in bytes. */
export interface Transfer {
  begun: number;
  current: number;
  free: number | undefined;
  /** Of the server's last answer; undefined until one came. */
  status: number | undefined;
  /** Size of the whole file by that answer. */
  total: number | undefined;
  ended: { tool: string; exitCode: number } | undefined;
  /** Of the whole file, once it is complete. */
  sha256: string | undefined;
}

export function newTransfer(): Transfer {
  return {
    begun: 0,
    current: 0,
    free: undefined,
    status: undefined,
    total: undefined,
    ended: undefined,
    sha256: undefined,
  };
}

/** Takes a line of {@link transferScript} into account; says whether it told how far the file is. */
export function takeLine(transfer: Transfer, tag: string, line: string): boolean {
  if (!line.startsWith(`${tag} `)) {
    takeHeader(transfer, line.trim());
    return false;
  }
  const [what, ...words] = line.slice(tag.length + 1).split(" ");
  const number = Number(words[0]);
  if (what === "begun") transfer.begun = number;
  if (what === "free") transfer.free = Number(/\s(\d+)\s+(?:\d+%|-)\s+\//.exec(line)?.[1] ?? 0) * 1024;
  if (what === "end") transfer.ended = { tool: words[0] ?? "", exitCode: Number(words[1]) };
  if (what === "sha256" && transfer.ended?.exitCode === 0) transfer.sha256 = parseDigest(words[0] ?? "");
  if (what !== "at") return false;
  transfer.current = number;
  return true;
}

function takeHeader(transfer: Transfer, line: string): void {
  const status = /^HTTP\/[\d.]+ (\d{3})/.exec(line)?.[1];
  if (status !== undefined) {
    transfer.status = Number(status);
    transfer.total = undefined;
    return;
  }
  const [, name = "", value = ""] = /^([A-Za-z-]+):\s*(.*)$/.exec(line) ?? [];
  const { status: answered, begun } = transfer;
  if (name.toLowerCase() === "content-length" && (answered === 200 || answered === 206)) {
    transfer.total = Number(value) + (answered === 206 ? begun : 0);
  }
  if (name.toLowerCase() === "content-range" && answered === 416) {
    const total = /\/(\d+)$/.exec(value)?.[1];
    if (total !== undefined) transfer.total = Number(total);
  }
}
