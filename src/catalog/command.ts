import { BerthError } from "../lib/errors.js";
import { splitValue, splitWords, type Placeholder, type Word } from "./words.js";

/** The placeholders that Berth itself gives a value. An environment variable of the same name does not change them. */
export const builtInPlaceholders = [
  "model_path",
  "mmproj_path",
  "model_name",
  "port",
  "worker_ip",
  "gpu_count",
  "gpu_ids",
] as const;

export type BuiltInPlaceholder = (typeof builtInPlaceholders)[number];

export interface CommandValues {
  /** Each stays inside its word, whatever its value holds. */
  builtIn: Readonly<Record<BuiltInPlaceholder, string>>;
  /** The merged environment: backend < version < deployment. */
  environment: Readonly<Record<string, string>>;
}

/**
 * The argument vector of a command template. It is split the POSIX way, without a shell, and then filled in, so a
 * value is text: it is never scanned for placeholders. Only the value of a variable `{{NAME}}` that stands alone,
 * outside quotes, is itself split into words: none if it is empty.
 *
 * @param where `file:line:column` of the template, for errors
 * @throws BerthError `command-invalid` if the template or such a value cannot be split (see {@link splitWords}), a
 * placeholder is unknown, or a value holds NUL. The message never shows a value: it may be a secret.
 */
export function renderCommand(template: string, values: CommandValues, where?: string): string[] {
  return splitWords(template, { name: "the command", where }).flatMap((word) => renderWord(word, values, where));
}

function renderWord(word: Word, values: CommandValues, where: string | undefined): string[] {
  const [first, ...others] = word;
  if (typeof first === "object" && others.length === 0 && !first.quoted && !isBuiltIn(first.name)) {
    return splitValue(valueOf(first, values, where), { name: `the value of {{${first.name}}}`, where });
  }
  return [word.map((part) => (typeof part === "string" ? part : valueOf(part, values, where))).join("")];
}

function valueOf({ name }: Placeholder, values: CommandValues, where: string | undefined): string {
  const { builtIn, environment } = values;
  const value = isBuiltIn(name) ? builtIn[name] : Object.hasOwn(environment, name) ? environment[name] : undefined;
  if (value === undefined) {
    const known = [...builtInPlaceholders, ...Object.keys(environment).sort()];
    throw new BerthError("command-invalid", {
      what: `the command names an unknown placeholder {{${name}}}`,
      expected: `one of ${known.join(", ")}`,
      hint: "Correct the name, or set an environment variable of that name.",
      ...(where !== undefined && { where }),
    });
  }
  if (value.includes("\0")) {
    throw new BerthError("command-invalid", {
      what: `the value of {{${name}}} holds a NUL character`,
      hint: "Remove it: no argument of a process can hold it.",
      ...(where !== undefined && { where }),
    });
  }
  return value;
}

function isBuiltIn(name: string): name is BuiltInPlaceholder {
  return builtInPlaceholders.some((known) => known === name);
}
