import { flattenOldParameters, flattenParameters, isFlag } from "./reference-parameters.js";
import { stripWords } from "./secret-words.js";

/** A model's own arguments, as a deployment has them. */
export interface ConvertedArguments {
  readonly parameters: readonly string[];
  /** From the engine's flag: Berth has a field for it. */
  readonly contextLength: number | undefined;
  /** Flags left out because their values are secrets. */
  readonly secretFlags: readonly string[];
}

const contextFlags: Readonly<Record<string, readonly string[]>> = {
  vllm: ["--max-model-len"],
  sglang: ["--context-length"],
  "llama-box": ["--ctx-size", "-c"],
  "llama-cpp": ["--ctx-size", "-c"],
  auto: ["--max-model-len", "--ctx-size"],
};

/**
 * Converts a parameter list.
 *
 * @param isOld of v0.7 or earlier
 * @throws BerthError `command-invalid`, see {@link flattenParameters}
 */
export function convertArguments(
  entries: readonly string[],
  { backend, isOld, where }: { backend: string; isOld: boolean; where: string },
): ConvertedArguments {
  const words = isOld ? flattenOldParameters(entries) : flattenParameters(entries, where);
  const flags = Object.hasOwn(contextFlags, backend) ? (contextFlags[backend] ?? []) : [];
  const parameters: string[] = [];
  let contextLength: number | undefined;
  for (const { flag, values, words: group } of groupsOf(words)) {
    const length = flags.includes(flag) && values.length === 1 ? contextOf(values[0]) : undefined;
    if (length !== undefined) contextLength = length;
    else parameters.push(...group);
  }
  const { words: kept, names: secretFlags } = stripWords(parameters);
  return { parameters: kept, contextLength, secretFlags };
}

function contextOf(value: string | undefined): number | undefined {
  const length = /^\d{2,9}$/.test(value ?? "") ? Number(value) : 0;
  return length >= 16 ? length : undefined;
}

interface Group {
  /** Empty for words before the first flag. */
  readonly flag: string;
  readonly values: readonly string[];
  readonly words: readonly string[];
}

/** A flag and the words after it that are no flags. */
function groupsOf(words: readonly string[]): Group[] {
  const groups: { flag: string; values: string[]; words: string[] }[] = [];
  for (const word of words) {
    const last = groups.at(-1);
    if (isFlag(word)) {
      const [flag = "", ...values] = word.split(/=([^]*)/, 2);
      groups.push({ flag, values, words: [word] });
    } else if (last === undefined) {
      groups.push({ flag: "", values: [word], words: [word] });
    } else {
      last.values.push(word);
      last.words.push(word);
    }
  }
  return groups;
}
