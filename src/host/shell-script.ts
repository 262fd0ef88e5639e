/**
 * The texts in the language of `sh` that make a command on a host out of what a session sends. They use what POSIX
 * has, and of the rest only `mktemp` and `setsid`; without `setsid`, as on macOS, the shell's own job control.
 */

/** One word for a POSIX shell, whatever it holds but a zero byte. */
export function quoteWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

export function quoteWords(words: readonly string[]): string {
  return words.map(quoteWord).join(" ");
}

/**
 * What the login shell is given: it becomes `/bin/sh`, which reads so many bytes of a script from its standard input.
 * Shells read this text alike, csh and fish too, because there is no quote, backslash, exclamation mark or line feed
 * within its quotes. Arguments, environment and input come by standard input, so no list of processes shows them.
 *
 * `get` copies that many bytes and not one more: `dd` reads once what is there, and tells how much that was.
 */
export function bootstrap(scriptBytes: number, asRoot = false): string {
  const get = [
    "get() { { n=$1; while [ $n -gt 0 ]; do b=$n; if [ $b -gt 65536 ]; then b=65536; fi;",
    // "0+1 records in", "0+1 records out", "123 bytes": the seventh word, by GNU, BSD and busybox.
    'said=$(dd bs=$b count=1 2>&1 >&5 <&3) || { echo "$said" >&2; return 1; }; set -- $said;',
    "if [ ${7:-0} -eq 0 ]; then return 1; fi; n=$((n - $7)); done; } 5>&1; }",
  ].join(" ");
  const start = `script=$(get ${scriptBytes}) && eval "$script"`;
  const shell = `LC_ALL=C; export LC_ALL; exec 3<&0 </dev/null; ${get}; ${start}`;
  return asRoot ? `exec /bin/sh -c '${becomeRoot}' '${shell}'` : `exec /bin/sh -c '${shell}'`;
}

/** Whoever is root already needs no sudo. The login's folder may be one that root cannot read. */
const becomeRoot = [
  "LC_ALL=C; export LC_ALL; cd /;",
  'if [ "$(id -u)" -ne 0 ]; then exec sudo -n -H -u root -- /bin/sh -c "$0"; fi; exec /bin/sh -c "$0"',
].join(" ");

/** A script that runs in the shell itself. It may call `get`. Its words are `$1`, `$2` and so on. */
export function shellScript(nonce: string, script: string, words: readonly string[]): string {
  return [marks(nonce), "mark +", `(set -- ${quoteWords(words)}`, `${script}\n)`, 'mark "-$?;"', ""].join("\n");
}

export interface CommandScript {
  readonly nonce: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string | undefined;
  /** How many bytes of input follow the script; undefined when the command has nothing to read. */
  readonly inputBytes: number | undefined;
  /** The command is ended when nothing was heard for so long. */
  readonly silenceSeconds: number;
}

/**
 * A script that runs a command in a process group of its own. When the script's standard input ends, or is silent for
 * too long, the group is asked to end, and killed some seconds later. A line on standard input is a sign of life.
 */
export function commandScript({ nonce, argv, env, cwd, inputBytes, silenceSeconds }: CommandScript): string {
  return [
    marks(nonce),
    `silence=${silenceSeconds}`,
    inputBytes === undefined ? "exec 7</dev/null" : receiveInput(inputBytes),
    supervision,
    "lead() {",
    ...(cwd === undefined ? [] : [`cd -- ${quoteWord(cwd)} || exit 127`]),
    keepBaseEnvironment,
    ...Object.entries(env).map(([name, value]) => `export ${name}=${quoteWord(value)}`),
    `lead_group ${quoteWords(argv)}`,
    "}",
    "mark +",
    "exec 4>&1 9>&2",
    // What the shell itself says of a command that was killed is nothing that the command said.
    '{ (lead) 8>&1 >&4 2>&9 <&7 3<&- 4>&- 7<&- 9>&-; echo "ended $?"; } 2>/dev/null | supervise',
    "",
  ].join("\n");
}

/** Names that a shell can hand on. */
export const environmentName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Marks, on both outputs, where the output of what was asked for begins and ends. */
function marks(nonce: string): string {
  return `mark() { printf %s "${nonce}$1"; printf %s "${nonce}$1" >&2; }`;
}

/** The input goes into a file that has no name any more: the command may take its time to read it. */
function receiveInput(bytes: number): string {
  return [
    `input=$(umask 077; mktemp) && exec 6>"$input" 7<"$input" && rm -f -- "$input" || exit`,
    `get ${bytes} >&6 || exit`,
    "exec 6>&-",
  ].join("\n");
}

/** Of the login's environment a command gets what `baseEnvironment` takes of a process on this machine. */
const keepBaseEnvironment = String.raw`
for name in $(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p'); do
  case $name in
    PATH | HOME | TMPDIR | XDG_RUNTIME_DIR | DBUS_SESSION_BUS_ADDRESS) ;;
    [Hh][Tt][Tt][Pp]_[Pp][Rr][Oo][Xx][Yy] | [Hh][Tt][Tt][Pp][Ss]_[Pp][Rr][Oo][Xx][Yy]) ;;
    [Nn][Oo]_[Pp][Rr][Oo][Xx][Yy] | [Aa][Ll][Ll]_[Pp][Rr][Oo][Xx][Yy]) ;;
    SSL_CERT_FILE | SSL_CERT_DIR | REQUESTS_CA_BUNDLE | CURL_CA_BUNDLE | [Pp][Ii][Pp]_*) ;;
    *) unset "$name" ;;
  esac
done
unset name
export LANG=C.UTF-8`;

/**
 * `supervise` reads what `lead` tells: the group that it leads, and how it ended. Meanwhile `on_end` waits
 * for the end of standard input, and `on_silence` for too long a time without a sign of life.
 */
const supervision = String.raw`
setsid=$(command -v setsid)
leader='echo "group $$" >&8; exec 8>&-; unset PWD OLDPWD; exec "$@"'
lead_group() {
  if [ -n "$setsid" ]; then exec "$setsid" /bin/sh -c "$leader" sh "$@"; fi
  set -m
  /bin/sh -c '[ "$(ps -o pgid= -p $$ | tr -d " ")" = $$ ] ||
    { echo "this host has no setsid" >&2; exit 125; }; '"$leader" sh "$@" <&0 &
  wait $!
  exit $?
}
end_group() {
  kill -s TERM -- "-$group" || return
  n=0
  while [ $n -lt 50 ]; do
    sleep 0.1
    kill -s 0 -- "-$group" || return
    n=$((n + 1))
  done
  kill -s KILL -- "-$group"
}
on_end() {
  while read -r sign; do kill -s CONT "$timer"; done
  trap '' TERM
  end_group
}
on_silence() {
  trap : CONT
  # A child that was only just made may lose every other signal.
  trap 'kill -s KILL $!; exit' TERM
  heard=1
  while [ "$heard" ]; do
    sleep "$silence" &
    wait $! && heard=
    kill -s KILL $!
  done
  trap '' TERM
  end_group
}
supervise() {
  read -r what value
  if [ "$what" = group ]; then
    group=$value
    on_silence </dev/null >/dev/null 2>&1 3<&- 4>&- 7<&- 9>&- &
    timer=$!
    on_end <&3 >/dev/null 2>&1 3<&- 4>&- 7<&- 9>&- &
    reader=$!
    read -r what value
    { kill -s TERM "$timer" "$reader"; wait "$timer"; wait "$reader"; } 2>/dev/null
  fi
  mark "-$value;"
}`;
