import { BerthError } from "../lib/errors.js";
import type { BackendFile } from "../schema/backend.js";
import { nearestNames } from "./nearest.js";
import { splitValue } from "./words.js";

/** A flag and its value (`--k v`), or a line of flags. `--k=v w` is neither, but one argument with a blank in it. */
const pasted = /^--?[A-Za-z][\w.-]*(?:\s|=\S*\s+--?[A-Za-z])/;

/**
 * The parameters of a deployment, one argument each. An element is one argument as it is written, with one exception: one
 * that begins with a flag and a blank, or with `--k=v` and another flag, was pasted from a command line and is split
 * as that is (see `splitWords`), except that braces are text. Write `--k=v w` for a value with blanks.
 *
 * @param where what has the parameters, for errors
 * @throws BerthError `command-invalid` when a pasted line cannot be split
 */
export function splitParameters(parameters: readonly string[], where: string): string[] {
  return parameters.flatMap((parameter) =>
    pasted.test(parameter) ? splitValue(parameter, { name: "a parameter", where }) : [parameter],
  );
}

/** What a deployment's parameters say of the things that Berth decides: each binds it. */
export interface GivenParameters {
  /** What is left for the engine, in order. */
  readonly rest: readonly string[];
  readonly host?: string;
  readonly port?: number;
  readonly servedModel?: string;
  /** Its flag is in `rest` too, once. */
  readonly tensorParallelSize?: number;
}

type Decided = keyof BackendFile["flags"];

/**
 * Takes out of the parameters what Berth gives itself, so that no flag is there twice. `--port 1` and `--port=1` are the
 * same, `-p1` too after a flag of one letter, and `--served_model_name` is `--served-model-name`, as engines read it.
 *
 * @param parameters one argument each (see {@link splitParameters})
 * @param owned flags that nobody but Berth gives
 * @param contextLengthFlags the engine's flag for the context length, by all its names
 * @param where what has the parameters, for errors
 * @throws BerthError `stack-inconsistent` for an owned flag, the context length, a flag without a value, with one that
 * is not of its kind, or with two
 */
export function readParameters(
  parameters: readonly string[],
  flags: BackendFile["flags"],
  owned: readonly string[],
  contextLengthFlags: readonly string[],
  where: string,
): GivenParameters {
  const rest: string[] = [];
  const given = new Map<Decided, string>();
  for (let at = 0; at < parameters.length; at++) {
    const parameter = parameters[at] ?? "";
    refuseOwned(parameter, owned, contextLengthFlags, where);
    const found = decidedBy(parameter, flags);
    if (found === undefined) {
      rest.push(parameter);
      continue;
    }
    const { decides, value: joined } = found;
    const words = joined === undefined ? parameters.slice(at, at + 2) : [parameter];
    const value = checkValue(decides, words, joined ?? words[1], where);
    at += words.length - 1;
    if (decides === "servedModel") refuseSecondName(parameters[at + 1], where);
    const before = given.get(decides);
    if (before !== undefined && before !== value) throw twice(parameter, [before, value], where);
    if (before === undefined && isPassedOn(decides)) rest.push(...words);
    given.set(decides, value);
  }
  return { rest, ...constraintsOf(given) };
}

/** What the engine is told as it is given, once. */
function isPassedOn(decides: Decided): boolean {
  return decides === "tensorParallelSize" || decides === "pipelineParallelSize";
}

function constraintsOf(given: ReadonlyMap<Decided, string>): Omit<GivenParameters, "rest"> {
  const [host, servedModel] = [given.get("host"), given.get("servedModel")];
  const [port, tensorParallelSize] = [given.get("port"), given.get("tensorParallelSize")];
  return {
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port: Number(port) }),
    ...(servedModel !== undefined && { servedModel }),
    ...(tensorParallelSize !== undefined && { tensorParallelSize: Number(tensorParallelSize) }),
  };
}

export interface UnknownFlag {
  readonly flag: string;
  /** The known flag that is spelled most like it. */
  readonly nearest?: string;
}

/** The flags that a version does not know, once each. None where the version does not say which it knows. */
export function unknownFlags(rest: readonly string[], knownFlags: readonly string[] | undefined): UnknownFlag[] {
  if (knownFlags === undefined) return [];
  const unknown = rest.filter((parameter) => isFlag(parameter) && !knownFlags.some((known) => knows(known, parameter)));
  return [...new Set(unknown.map(nameOf))].map((flag) => {
    const [nearest] = nearestNames(flag, knownFlags);
    return { flag, ...(nearest !== undefined && { nearest }) };
  });
}

/**
 * Checks that a version serves the architecture of a model. Passes where either is unknown.
 *
 * @param where what has the model, for errors
 * @throws BerthError `stack-inconsistent`
 */
export function checkArchitecture(
  architectures: readonly string[] | undefined,
  architecture: string | undefined,
  where: string,
): void {
  if (architectures === undefined || architecture === undefined || architectures.includes(architecture)) return;
  const near = nearestNames(architecture, architectures);
  throw new BerthError("stack-inconsistent", {
    where,
    what: "this version of the backend does not serve the architecture of the model",
    got: architecture,
    expected: architectures.length <= 8 ? architectures.join(", ") : `one of ${architectures.length}`,
    hint: `choose another version or backend${near.length === 0 ? "" : `; similar names that it serves: ${near.join(", ")}`}`,
  });
}

/** Flags that Berth sets itself are never given twice; the context length has a field of its own. */
function refuseOwned(
  parameter: string,
  owned: readonly string[],
  contextFlags: readonly string[],
  where: string,
): void {
  if (contextFlags.some((flag) => read(parameter, flag) !== undefined)) {
    throw new BerthError("stack-inconsistent", {
      where,
      what: `the context length has a field of its own`,
      got: parameter,
      hint: "give it as `contextLength`, and remove the flag",
    });
  }
  if (owned.some((flag) => read(parameter, flag) !== undefined)) {
    throw new BerthError("stack-inconsistent", {
      where,
      what: "Berth itself sets this flag",
      // Its value may be a key.
      got: parameter.replace(/=.*$/s, ""),
      hint: "remove it from the parameters",
    });
  }
}

function decidedBy(
  parameter: string,
  flags: BackendFile["flags"],
): { decides: Decided; value?: string | undefined } | undefined {
  for (const decides of ["host", "port", "servedModel", "tensorParallelSize", "pipelineParallelSize"] as const) {
    for (const flag of flags[decides]) {
      const found = read(parameter, flag);
      if (found !== undefined) return { decides, ...found };
    }
  }
  return undefined;
}

/**
 * Whether a parameter is a flag, alone or joined to its value: `--port=1`, and `-p1` after a flag of one letter. Letters
 * alone after it are the name of another flag, as engines have them: `-mg`.
 */
function read(parameter: string, flag: string): { value?: string } | undefined {
  const name = nameOf(parameter);
  if (spelled(name) === spelled(flag)) {
    return name === parameter ? {} : { value: parameter.slice(name.length + 1) };
  }
  const joined = /^-[A-Za-z]$/.test(flag) && name.startsWith(flag) && !/^-[A-Za-z-]+$/.test(name);
  return joined ? { value: parameter.slice(flag.length) } : undefined;
}

function nameOf(parameter: string): string {
  return parameter.split("=", 1).join("");
}

/** llama.cpp and vLLM read an underscore in a long flag as a hyphen. */
function spelled(flag: string): string {
  return flag.startsWith("--") ? flag.replaceAll("_", "-") : flag;
}

/** `--a.b=1` sets a field of what `--a` sets, where engines have such. */
function knows(known: string, parameter: string): boolean {
  const [outer = ""] = nameOf(parameter).split(".", 1);
  return read(parameter, known) !== undefined || (outer.startsWith("--") && spelled(outer) === spelled(known));
}

function isFlag(parameter: string): boolean {
  return /^--?[A-Za-z]/.test(parameter);
}

const expectations: Record<Decided, { expected: string; matches: (value: string) => boolean }> = {
  host: { expected: "an address", matches: (value) => value !== "" },
  port: { expected: "a port, 1 to 65535", matches: (value) => isInteger(value, 65_535) },
  servedModel: { expected: "a name", matches: (value) => value !== "" },
  tensorParallelSize: { expected: "a number of devices", matches: (value) => isInteger(value, 65_535) },
  pipelineParallelSize: { expected: "a number of groups of layers", matches: (value) => isInteger(value, 65_535) },
};

function isInteger(text: string, most: number): boolean {
  return /^[1-9]\d{0,4}$/.test(text) && Number(text) <= most;
}

/** @param words the flag, with its value beside it or joined to it */
function checkValue(decides: Decided, words: readonly string[], value: string | undefined, where: string): string {
  const { expected, matches } = expectations[decides];
  const missing = value === undefined || (words.length > 1 && isFlag(value));
  if (!missing && matches(value)) return value;
  const [flag = ""] = words;
  throw new BerthError("stack-inconsistent", {
    where,
    what: missing ? "this flag has no value" : "this flag takes another kind of value",
    got: missing ? flag : words.join(" "),
    expected: `${expected} after ${nameOf(flag)}`,
  });
}

/** vLLM takes several names; Berth asks for a model by one. */
function refuseSecondName(next: string | undefined, where: string): void {
  if (next === undefined || next.startsWith("-")) return;
  throw new BerthError("stack-inconsistent", {
    where,
    what: "the model is served under one name",
    got: `a second one, ${next}`,
    hint: "give one name",
  });
}

function twice(parameter: string, values: readonly string[], where: string): BerthError {
  return new BerthError("stack-inconsistent", {
    where,
    what: `${nameOf(parameter)} is given twice, with different values`,
    got: values.join(" and "),
    hint: "remove one of them; an alias of the flag counts as the flag",
  });
}
