/** One entry of a requirements file. */
export interface Requirement {
  readonly name: string;
  readonly version: string;
  /** When it counts, such as `sys_platform == 'linux'`. */
  readonly marker: string | undefined;
  /** SHA-256 of each of its files. */
  readonly hashes: readonly string[];
}

const entry =
  /^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;]+)\s*(?:;\s*([^#]*?))?((?:\s+--hash=sha256:[0-9a-f]{64})*)$/;

/**
 * The entries of a requirements file as uv and pip-compile write it: `name==version ; marker --hash=sha256:...`, over
 * lines that end in a backslash. Anything else in it is an entry without name, version and hashes.
 */
export function parseRequirements(text: string): Requirement[] {
  const lines = text.replace(/\\\r?\n/g, " ").split(/\r?\n/);
  return lines.flatMap((line) => {
    const bare = line.replace(/(?:^|\s)#.*$/, "").trim();
    if (bare === "") return [];
    const [, name, version, marker, hashes = ""] = entry.exec(bare.replace(/\s+/g, " ")) ?? [];
    if (name === undefined || version === undefined)
      return [{ name: bare, version: "", marker: undefined, hashes: [] }];
    return [{ name, version, marker, hashes: [...hashes.matchAll(/[0-9a-f]{64}/g)].map(([hash]) => hash) }];
  });
}
