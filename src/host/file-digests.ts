import type { Host } from "./host.js";
import { parseDigest } from "./file-digest.js";

/** So many that a command's output stays small. */
const atOnce = 500;

/** Reads paths from its standard input, each with a NUL behind it; one line for each file, in their order. */
const script = `if command -v openssl >/dev/null; then exec xargs -0 openssl dgst -sha256 -r
elif command -v sha256sum >/dev/null; then exec xargs -0 sha256sum --
else exec xargs -0 shasum -a 256 --; fi`;

/** The SHA-256 of each file, by its path. One command reads hundreds: over ssh that is what takes the time. */
export async function digestFiles(
  host: Pick<Host, "run" | "sha256">,
  paths: readonly string[],
  signal?: AbortSignal,
): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  for (let first = 0; first < paths.length; first += atOnce) {
    const some = paths.slice(first, first + atOnce);
    const found = await digestSome(host, some, signal);
    for (const [index, path] of some.entries()) digests.set(path, found?.[index] ?? (await host.sha256(path, signal)));
  }
  return digests;
}

/** Undefined where they cannot be read at once; which of them is the reason is told when each is read by itself. */
async function digestSome(
  host: Pick<Host, "run">,
  paths: readonly string[],
  signal?: AbortSignal,
): Promise<(string | undefined)[] | undefined> {
  const { exitCode, stdout } = await host.run(["/bin/sh", "-c", script], {
    input: paths.map((path) => `${path}\0`).join(""),
    env: { LC_ALL: "C" },
    ...(signal === undefined ? {} : { signal }),
  });
  const lines = stdout.split("\n").filter((line) => line !== "");
  return exitCode === 0 && lines.length === paths.length ? lines.map(parseDigest) : undefined;
}
