import { execa } from "execa";

import { LimitedGroup } from "./process-group.js";

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

const followScript = `${digestFunctions}\nfollow "$1"`;
/** So much is there to do before it is worth a process, and before it is told to go on. */
const portionBytes = 8 << 20;

/** The digest at the beginning of a line that a tool prints. */
export function parseDigest(text: string): string | undefined {
  return /^\\?([0-9a-f]{64})\b/.exec(text)?.[1];
}

/**
 * The SHA-256 of a file of this machine that only grows, taken by another process beside the one that writes it. When
 * this process is gone, so is that one.
 */
export class FileDigest {
  readonly #path: string;
  readonly #environment: Readonly<Record<string, string>>;
  #child: ReturnType<typeof startFollowing> | undefined;
  #told = 0;
  #over = false;

  /** @param path the file, which is there by now */
  constructor(path: string, environment: Readonly<Record<string, string>>) {
    this.#path = path;
    this.#environment = environment;
  }

  /** The file has so many bytes by now. */
  grown(bytes: number): void {
    if (this.#over || bytes - this.#told < portionBytes) return;
    this.#told = bytes;
    this.#child ??= startFollowing(this.#path, this.#environment);
    this.#child.stdin.write("more\n");
  }

  /** The digest of the whole file, which is complete now; undefined when it was not worth it, or no tool could tell. */
  async end(signal?: AbortSignal): Promise<string | undefined> {
    this.#over = true;
    const child = this.#child;
    if (child === undefined) return undefined;
    signal?.throwIfAborted();
    child.stdin.end("all\n");
    // The tool is a child of the shell.
    const group = new LimitedGroup(child.pid, { signal });
    const { exitCode, stdout } = await child;
    await group.settle();
    signal?.throwIfAborted();
    return exitCode === 0 ? parseDigest(stdout) : undefined;
  }

  /** To be called when nobody wants to know any more. */
  stop(): void {
    this.#over = true;
    this.#child?.stdin.end();
  }
}

function startFollowing(path: string, env: Readonly<Record<string, string>>) {
  const child = execa("/bin/sh", ["-c", followScript, "sh", path], {
    env,
    extendEnv: false,
    stdin: "pipe",
    detached: true,
    reject: false,
  });
  // One that ended early does not read: that shows in its result.
  child.stdin.on("error", () => undefined);
  return child;
}
