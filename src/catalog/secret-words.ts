/** What likely is a secret in texts of others: by the name of a variable or flag, or by its own look. Pure. */
import { isFlag } from "./reference-parameters.js";

/** A word that holds a secret, or the flag of one. */
export interface SecretWord {
  readonly index: number;
  /** The flag or variable whose value it is, for people; never the value. */
  readonly name: string;
  /** The word as it may be shown. */
  readonly masked: string;
  /** A command inside one word holds it, as for `sh -c`: without the word the command is another. */
  readonly isNested: boolean;
}

/** A command without its secrets. */
export interface StrippedCommand {
  /** Undefined where they cannot be taken out of it. */
  readonly text: string | undefined;
  /** The flags and variables whose values were secrets, once each. */
  readonly names: readonly string[];
}

const mask = "[secret]";
const notSecret =
  "COUNT|LENGTH|LIMIT|PATH|FILE|FILES|DIR|FOLDER|IDS?$|THROUGH|SIZE|TYPE|DTYPE|NAME$|BUDGET|CACHE|RATIO";
const secretName = new RegExp(
  [
    `(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|API_?KEY|CREDENTIAL)S?(?:$|\\d|_(?!${notSecret}))`,
    `(?:^|_)(?:TOKEN|PASS|KEYS?|CREDS?|AUTHORIZATION)(?:$|_(?!${notSecret}))`,
    "(?:^|_)(?:API|AUTH|ACCESS|BEARER|REFRESH|HF|HUB)_?TOKENS?$",
    "_(?:AUTH|PWD|PAT)$",
  ].join("|"),
);
/** Switches, and tokens of a model's language. */
const harmlessName =
  /^(?:ENABLE|DISABLE|REQUIRE|SKIP|ALLOW)_|(?:^|_)(?:BOS|EOS|EOT|PAD|UNK|SEP|CLS|MASK|IMAGE|VIDEO|AUDIO|MAX|MIN|STOP|START|END|NEXT|NEW|SPECIAL|PER|FIRST|LAST|NUM)_TOKEN(?:$|_)/;

/** Whether the value of a variable, a flag or a key of this name is likely a secret. */
export function isSecretName(name: string): boolean {
  const words = name
    .replace(/^-+/, "")
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/[^A-Za-z0-9]+/g, "_")
    .toUpperCase();
  return secretName.test(words) && !harmlessName.test(words);
}

const credentials = /(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{0,20}:\/\/[^\s/?#@"']+@/i;
const knownKeys =
  /(?<![A-Za-z0-9])(?:sk-[\w-]{16,}|hf_[A-Za-z0-9]{20,}|gh[pousr]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|xox[abeprs]-[\w-]{10,}|nvapi-[\w-]{16,}|AKIA[A-Z0-9]{16}|AIza[\w-]{30,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+)|\bBearer\s+[^\s"'{]|-----BEGIN [A-Z ]*PRIVATE KEY/;
const pair = /(?<!\w)([A-Za-z_][\w.-]{0,63})["']?\s{0,8}[:=](?=\s{0,8}["']?(\{\{\s*\w+\s*\}\}|[^\s"',;&}\]]+))/g;

/** Whether a text holds what likely is a secret: an address with a password, a key of a known form, `"token": "..."`. */
export function holdsSecret(text: string): boolean {
  if (credentials.test(text) || knownKeys.test(text)) return true;
  return [...text.matchAll(pair)].some(([, name = "", value = ""]) => isSecretName(name) && !isHarmless(value));
}

/** A placeholder, a switch, a small number, or the path of a file. */
function isHarmless(value: string): boolean {
  return isPlaceholder(value) || /^(?:true|false|null|none|\d{1,6}|[./~]{0,2}\/.*)$/i.test(value);
}

function isPlaceholder(value: string): boolean {
  return value === "" || /^(?:\{\{\s*\w+\s*\}\}|\$\{?\w+\}?)$/.test(value);
}

/** The words of a command or a parameter list that hold secrets, with the flags before them. */
export function findSecretWords(words: readonly string[]): SecretWord[] {
  const found = new Map<number, SecretWord>();
  for (const [index, word] of words.entries()) {
    if (found.has(index)) continue;
    for (const secret of secretsAt(words, index, word)) found.set(secret.index, secret);
  }
  return [...found.values()].sort((a, b) => a.index - b.index);
}

function secretsAt(words: readonly string[], index: number, word: string): SecretWord[] {
  const [, name, value] = /^(-{0,2}[A-Za-z_][\w.-]*)(?:=([^]*))?$/.exec(word) ?? [];
  if (name !== undefined && isSecretName(name)) {
    if (value !== undefined) return isPlaceholder(value) ? [] : [secretWord(index, name, `${name}=${mask}`)];
    const values = isFlag(word) ? valuesAfter(words, index) : [];
    if (values.length > 0) return [secretWord(index, name, word), ...values.map((at) => secretWord(at, name, mask))];
  }
  if (/\s/.test(word) && !/^[^=\s]*=?[{[]/.test(word) && stripCommand(word).names.length > 0) {
    return [{ ...secretWord(index, "a command in quotes", mask), isNested: true }];
  }
  if (!holdsSecret(word)) return [];
  if (name !== undefined && value !== undefined) return [secretWord(index, name, `${name}=${mask}`)];
  const before = words[index - 1] ?? "";
  // Without its value a flag would take the next word for it.
  if (!/^--?[A-Za-z][\w.-]*$/.test(before) || isFlag(word)) return [secretWord(index, "an argument", mask)];
  return [secretWord(index - 1, before, before), secretWord(index, before, mask)];
}

function secretWord(index: number, name: string, masked: string): SecretWord {
  return { index, name, masked, isNested: false };
}

/** The values of a flag: all words up to the next flag or placeholder, and the first whatever it is but a long flag. */
function valuesAfter(words: readonly string[], index: number): number[] {
  const values: number[] = [];
  for (let at = index + 1; at < words.length; at++) {
    const word = words[at] ?? "";
    const isFirst = at === index + 1;
    if (word.startsWith("{{") || isPlaceholder(word) || (isFirst ? word.startsWith("--") : isFlag(word))) break;
    values.push(at);
  }
  return values;
}

/** A command's words as they may be shown. */
export function maskWords(words: readonly string[]): string[] {
  const masked = new Map(findSecretWords(words).map((secret) => [secret.index, secret.masked]));
  return words.map((word, index) => masked.get(index) ?? word);
}

/** Words without those that hold secrets. */
export function stripWords(words: readonly string[]): { words: string[]; names: string[] } {
  const secrets = findSecretWords(words);
  const left = new Set(secrets.map(({ index }) => index));
  return { words: words.filter((_, index) => !left.has(index)), names: namesOf(secrets) };
}

/** One letter of a word, or what stands in quotes; a quote that stays open is a letter. */
const commandWord = /(?:\{\{\s*\w+\s*\}\}|'[^']*'|"(?:\\[^]|[^"\\])*"|\\[^]|[^\s'"\\]|['"\\])+/g;

/** A command's text without the words that hold secrets. The others stay as they are written. */
export function stripCommand(text: string): StrippedCommand {
  const pieces = [...text.matchAll(commandWord)];
  const secrets = findSecretWords(pieces.map(([piece]) => withoutQuotes(piece)));
  const left = new Set(secrets.map(({ index }) => index));
  if (left.size === 0) return { text, names: [] };
  if (secrets.some(({ isNested }) => isNested)) return { text: undefined, names: namesOf(secrets) };
  const kept = pieces.map(({ index: from }, at) => (left.has(at) ? "" : text.slice(from, pieces[at + 1]?.index)));
  return { text: kept.join("").trim(), names: namesOf(secrets) };
}

function withoutQuotes(piece: string): string {
  return piece.replace(
    /'([^']*)'|"((?:\\[^]|[^"\\])*)"|\\([^])/g,
    (_, single?: string, double?: string, escaped?: string) =>
      single ?? double?.replace(/\\(["\\$`])/g, "$1") ?? escaped ?? "",
  );
}

function namesOf(secrets: readonly SecretWord[]): string[] {
  return [...new Set(secrets.map(({ name }) => name))];
}
