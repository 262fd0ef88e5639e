/** Flags of an engine's argument vector, as engines read them. Pure. */

/** `--flag=value`, or a flag and the word after it. Python's engines take `_` for `-`. */
export function splitFlag(word: string, next = ""): [flag: string, value: string] {
  const [, flag = word, value = next] = /^(--[^=]+)=(.*)$/s.exec(word) ?? [];
  return [flag.startsWith("--") ? flag.replaceAll("_", "-") : flag, value];
}

/**
 * What each flag was given last, in the order of those. The word after a flag without a value is taken for one, which
 * those who ask ignore.
 */
export type GivenFlags = ReadonlyMap<string, string>;

export function readFlags(argv: readonly string[]): GivenFlags {
  const given = new Map<string, string>();
  for (const [index, word] of argv.entries()) {
    if (!isFlag(word)) continue;
    const [flag, value] = splitFlag(word, argv[index + 1]);
    given.delete(flag);
    given.set(flag, value);
  }
  return given;
}

/** What was given last by any of several names. */
export function flagValue(given: GivenFlags, ...names: readonly string[]): string | undefined {
  return [...given].findLast(([flag]) => names.includes(flag))?.[1];
}

export function hasFlag(given: GivenFlags, ...names: readonly string[]): boolean {
  return names.some((name) => given.has(name));
}

/** @returns NaN for what is no number; undefined for a flag that was not given */
export function numberOf(given: GivenFlags, ...names: readonly string[]): number | undefined {
  const value = flagValue(given, ...names);
  return value === undefined ? undefined : Number(value);
}

function isFlag(word: string): boolean {
  return /^--?[A-Za-z]/.test(word);
}
