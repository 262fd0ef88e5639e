/** A package that a requirements file pins. */
export interface RequirementPin {
  readonly name: string;
  readonly version: string;
  /** SHA-256 of each file of the version that may be taken. */
  readonly sha256s: readonly string[];
}

/**
 * The packages of a requirements file with hashes, as `berth lock` has uv write it: `NAME==VERSION ; MARKER \`, and
 * `--hash=sha256:DIGEST` on the lines below. One that differs between platforms is there more than once. What pip reads
 * it by are its own rules; what this does not know, such as an address, is left to it.
 */
export function readPins(text: string): RequirementPin[] {
  return text
    .replaceAll(/\\\r?\n/g, " ")
    .split(/\r?\n/)
    .flatMap((line): RequirementPin[] => {
      const [, name, version] =
        /^([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)(?:\[[^\]]*\])?\s*==\s*([^\s;#\\]+)/.exec(line) ?? [];
      const sha256s = [...line.matchAll(/--hash=sha256:([0-9a-f]{64})(?![0-9a-f])/g)].map(([, digest = ""]) => digest);
      return name === undefined || version === undefined ? [] : [{ name, version, sha256s }];
    });
}
