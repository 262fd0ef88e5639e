/**
 * `digest` tells the SHA-256 of what it reads, by openssl where there is one: that uses what the processor has for it.
 *
 * `follow` does so for the file `$1` while somebody else writes to its end. It is told when to go on by lines of
 * standard input: `more`, and `all` at the end. When they end without `all`, it ends soon, and what it tells is of no
 * use.
 */
export const digestFunctions = String.raw`
digest() {
  if command -v openssl >/dev/null; then openssl dgst -sha256 -r
  elif command -v sha256sum >/dev/null; then sha256sum
  else shasum -a 256; fi
}
follow() {
  exec 6<"$1"
  while read -r word; do
    if [ "$word" = all ]; then cat <&6; else dd bs=1048576 count=256 <&6 2>/dev/null; fi
  done | digest
}`;

/** The digest at the beginning of a line that a tool prints. */
export function parseDigest(text: string): string | undefined {
  return /^\\?([0-9a-f]{64})\b/.exec(text)?.[1];
}
