import { BerthError } from "../lib/errors.js";
import type { BackendFile } from "../schema/backend.js";

/**
 * Refuses the beginning of a flag that Berth gives or decides: engines on Python's argparse take any that is clear for
 * the whole flag (https://docs.python.org/3/library/argparse.html#allow-abbrev), so it would be given twice.
 *
 * @param parameters one argument each, without the flags that Berth takes out of them
 * @param knownFlags flags of the engine; one that is the beginning of another counts as itself
 * @param where what has the parameters, for errors
 * @throws BerthError `stack-inconsistent`
 */
export function refuseAbbreviations(
  parameters: readonly string[],
  { flags, ownedFlags, contextLengthFlag = "" }: Pick<BackendFile, "flags" | "ownedFlags" | "contextLengthFlag">,
  knownFlags: readonly string[] = [],
  where: string,
): void {
  const whole = [...Object.values(flags).flat(), ...ownedFlags, contextLengthFlag].map(spelled);
  const known = new Set([...whole, ...knownFlags.map(spelled)]);
  for (const parameter of parameters) {
    const [name = ""] = parameter.split("=", 1).map(spelled);
    if (!/^--[a-z]/i.test(name) || known.has(name)) continue;
    const meant = whole.find((flag) => flag.startsWith(name));
    if (meant === undefined) continue;
    throw new BerthError("stack-inconsistent", {
      where,
      what: "the engine may read this as another flag, which Berth decides",
      got: name,
      expected: `${meant}, or a flag that is not its beginning`,
      hint: "write the flag out",
    });
  }
}

function spelled(flag: string): string {
  return flag.replaceAll("_", "-");
}
