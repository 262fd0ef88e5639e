import { readdir } from "node:fs/promises";
import { join } from "node:path";

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";

import { builtInPlaceholders, renderCommand, type CommandValues } from "../../../src/catalog/command.js";
import { baseEnvironment } from "../../../src/host/environment.js";
import { LocalHost } from "../../../src/host/local.js";
import { BerthError } from "../../../src/lib/errors.js";
import { execPath, writeRunnerFiles } from "../../../src/runtime/runner-files.js";
import { shlexOracle } from "../support/python-oracle.js";
import { repository } from "../support/repository.js";
import { temporaryFolder } from "../support/temporary-folder.js";

/** What a shell, a splitter or a template would read as something of its own. Whoever runs one leaves a file behind. */
const hostile = [
  ...[
    "",
    " ",
    "'",
    '"',
    "\\",
    "`",
    "$",
    "~",
    "*",
    "?",
    "[a]",
    "{a,b}",
    "#",
    "!",
    "%",
    "%s",
    "^",
    "&",
    "|",
    ";",
    "<",
    ">",
  ],
  ...[
    "\n",
    "\r\n",
    "\t",
    "\u000b",
    "\f",
    "\u0001",
    "\u007f",
    "\u001b[2J",
    "\u00a0",
    "\u2028",
    "\ufeff",
    "\u202e",
    "\u0301",
  ],
  ...["é", "語", "😀", "👩‍👩‍👧‍👦", "\u{10ffff}", "\ufffd", "--", "-", "--port=1", "-c", "=", "a=b"],
  ...["$HOME", "${HOME}", "$'a\\nb'", "$(touch canary)", "`touch canary`", "; touch canary;", "\ntouch canary\n"],
  ...["' ; touch canary ; '", '" ; touch canary ; "', "| tee canary", "> canary", "&& touch canary", "$((1+1))"],
  ...[
    "{{port}}",
    "{{ VAR }}",
    "{{",
    "}}",
    "{{{{",
    "{port}",
    "$&",
    "$1",
    "$`",
    "\\0",
    "\\x00",
    "%(ENV_HOME)s",
    "%%h",
    "\\n",
  ],
];

const unit = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...hostile) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", minLength: 1, maxLength: 3 }) },
  { weight: 1, arbitrary: fc.string({ unit: "grapheme", maxLength: 5 }) },
);
const value = fc.array(unit, { maxLength: 6 }).map((units) => units.join("").replaceAll("\0", ""));
const variables = ["VAR", "OTHER_1", "port"] as const;

function valuesOf(text: fc.Arbitrary<string>): fc.Arbitrary<CommandValues> {
  return fc.record({
    builtIn: fc.record({
      ...placeholders(text),
    }),
    environment: fc.record({ VAR: text, OTHER_1: text, port: text }),
  });
}

/** A piece of a command: its template, and what it must become. */
interface Piece {
  readonly template: string;
  readonly shown: (values: CommandValues) => string;
}

const names = fc.constantFrom(...builtInPlaceholders, "VAR", "OTHER_1");
const placeholder = fc.tuple(names, fc.constantFrom("", " ", "  ")).map(([name, blank]): Piece => ({
  template: `{{${blank}${name}${blank}}}`,
  shown: ({ builtIn, environment }) =>
    builtInPlaceholders.some((known) => known === name)
      ? builtIn[name as keyof typeof builtIn]
      : (environment[name] ?? ""),
}));
const literal = (letters: RegExp) =>
  fc.stringMatching(letters).map((text): Piece => ({ template: text, shown: () => text }));
const quoted = (mark: string, letters: RegExp) =>
  fc.array(fc.oneof(literal(letters), placeholder), { maxLength: 3 }).map((inner): Piece => ({
    template: mark + inner.map(({ template }) => template).join("") + mark,
    shown: (values) => inner.map(({ shown }) => shown(values)).join(""),
  }));
const escaped = placeholder.map(({ template, shown }): Piece => ({ template: `\\${template}`, shown }));
const inQuotes = fc.oneof(
  escaped,
  quoted("'", /^[A-Za-z0-9 |;&$"\\*]{1,4}$/),
  quoted('"', /^[A-Za-z0-9 |;&$'*]{1,4}$/),
);
const inWord = fc.oneof(literal(/^[A-Za-z0-9=_.:/$#~-]{1,4}$/), placeholder, { weight: 2, arbitrary: inQuotes });
/** One argument. A variable that stands alone outside quotes is not one: it is split. */
const word = fc
  .tuple(fc.constantFrom("--x=", "''", '""', "/"), fc.array(inWord, { maxLength: 4 }))
  .map(([start, pieces]): Piece => ({
    template: start + pieces.map(({ template }) => template).join(""),
    shown: (values) => start.replaceAll(/['"]/g, "") + pieces.map(({ shown }) => shown(values)).join(""),
  }));
const builtInAlone = fc
  .constantFrom(...builtInPlaceholders)
  .map((name): Piece => ({ template: `{{${name}}}`, shown: ({ builtIn }) => builtIn[name] }));
const command = fc.array(fc.oneof(word, builtInAlone, inQuotes), { minLength: 1, maxLength: 5 });

const templateOf = (pieces: readonly Piece[]) => pieces.map(({ template }) => template).join(" ");

/** Everywhere a value can stand without being split. */
const fixedTemplate = [
  ...["VAR", "OTHER_1"].flatMap((name) => [`--a={{${name}}}`, `'{{${name}}}'`, `"{{ ${name} }}"`, `\\{{${name}}}`]),
  ...builtInPlaceholders.flatMap((name) => [`{{${name}}}`, `--b={{ ${name} }}`, `'{{${name}}}'`, `"{{${name}}}"`]),
].join(" ");

function fixedWords({ builtIn, environment }: CommandValues): string[] {
  const { VAR = "", OTHER_1 = "" } = environment;
  return [
    ...[VAR, OTHER_1].flatMap((text) => [`--a=${text}`, text, text, text]),
    ...builtInPlaceholders.flatMap((name) => {
      const text = builtIn[name];
      return [text, `--b=${text}`, text, text];
    }),
  ];
}

const everywhere = (text: string): CommandValues => ({
  builtIn: placeholders(text),
  environment: Object.fromEntries(variables.map((name) => [name, text])),
});

/** So much of it that it has a hundred thousand bytes. */
function huge(text: string): string {
  return text.repeat(Math.ceil(100_000 / Buffer.byteLength(text)));
}

describe("a hostile value", () => {
  it("stays in its argument, unchanged, in any command", () => {
    fc.assert(
      fc.property(command, valuesOf(value), (pieces, values) => {
        expect(renderCommand(templateOf(pieces), values)).toEqual(pieces.map(({ shown }) => shown(values)));
      }),
      { numRuns: 10_000 },
    );
  });

  it("gives as many arguments as a harmless one", () => {
    fc.assert(
      fc.property(command, valuesOf(value), (pieces, values) => {
        const harmless = renderCommand(templateOf(pieces), everywhere("x"));
        expect(renderCommand(templateOf(pieces), values)).toHaveLength(harmless.length);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each(hostile.filter((text) => text !== ""))("of 100 kB of %j stays in its argument everywhere", (text) => {
    const values = everywhere(huge(text));
    // Compared as one boolean: the difference of two such lists is no help and takes minutes to show.
    expect(JSON.stringify(renderCommand(fixedTemplate, values)) === JSON.stringify(fixedWords(values))).toBe(true);
  });

  it("of 100 kB of anything stays in its argument", () => {
    fc.assert(
      fc.property(valuesOf(value.filter((text) => text !== "").map(huge)), (values) => {
        expect(JSON.stringify(renderCommand(fixedTemplate, values)) === JSON.stringify(fixedWords(values))).toBe(true);
      }),
      { numRuns: 30 },
    );
  });
});

describe("the value of a variable that stands alone", () => {
  const shlexSplit = shlexOracle();

  it("is the words of Python's shlex between those of the command, or refused with an operator or an open quote", async () => {
    await fc.assert(
      fc.asyncProperty(value, value, async (VAR, model_name) => {
        const values = { ...everywhere("x"), environment: { VAR } };
        const builtIn = { ...values.builtIn, model_name };
        const words = await shlexSplit(VAR);
        try {
          const rendered = renderCommand("serve {{model_name}} {{VAR}} --end", { ...values, builtIn });
          expect(rendered).toEqual(["serve", model_name, ...(words ?? ["refused"]), "--end"]);
        } catch (error) {
          if (!(error instanceof BerthError)) throw error;
          expect(error.code).toBe("command-invalid");
          expect(words === null || /[|&;<>()`*?[\]]/.test(VAR)).toBe(true);
          expect(error.message).toContain("the value of {{VAR}}");
        }
      }),
      { numRuns: 10_000 },
    );
  });
});

/** Prints its arguments and environment as the bytes that it got. */
const engine = `
import json, os, sys
words = [os.fsencode(word).hex() for word in sys.argv[1:]]
print(json.dumps([words, {os.fsdecode(name): value.hex() for name, value in os.environb.items()}]))
`;
const seenByEngine = z.tuple([z.array(z.string()), z.record(z.string(), z.string())]);

describe("a real process", () => {
  const host = new LocalHost("local", baseEnvironment(process.env));
  const hex = (text: string) => Buffer.from(text, "utf8").toString("hex");
  const hexes = (environment: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(environment).map(([name, text]) => [name, hex(text)]));

  async function findPython(): Promise<string> {
    const { stdout } = await host.run(["python3", "-c", "import sys; print(sys.executable)"]);
    expect(stdout).toMatch(/^\//);
    return stdout;
  }

  async function seen(
    argv: readonly [string, ...string[]],
    folder: string,
    env: Readonly<Record<string, string>> = {},
  ) {
    const { exitCode, stdout, stderr } = await host.run(argv, { cwd: folder, env, timeoutSeconds: 60 });
    expect([exitCode, stderr]).toEqual([0, ""]);
    const [words, environment] = seenByEngine.parse(JSON.parse(stdout));
    return { words, environment };
  }

  /** Runs the engine both ways that Berth starts processes, and looks at what came and what was left behind. */
  async function expectVerbatim(python: string, folder: string, words: string[], environment: Record<string, string>) {
    const argv = [python, "-I", "-c", engine, ...words] as const;
    const direct = await seen(argv, folder, environment);
    expect(direct.words).toEqual(words.map(hex));
    expect(direct.environment).toMatchObject(hexes(environment));

    // As a supervisor does: the vector and the environment lie in a file, and a fixed command line names that.
    const spec = { id: "hostile", folder, startSeconds: 1, stopSeconds: 1 };
    await writeRunnerFiles(host, { ...spec, argv, environment: { LANG: "C.UTF-8", ...environment } });
    const script = join(repository, "tools", "python", "exec.py");
    const launched = await seen([python, "-I", script, execPath(folder)], folder);
    expect(launched.words).toEqual(words.map(hex));
    expect(launched.environment).toMatchObject(hexes(environment));
    expect(Object.keys(launched.environment)).not.toContain("PATH");

    expect((await readdir(folder)).sort()).toEqual(["exec.json", "pid"]);
  }

  it("gets the known hostile values byte for byte, and no shell reads them", async () => {
    const [python, folder] = [await findPython(), await temporaryFolder()];
    const words = hostile.flatMap((text) => renderCommand("'{{VAR}}' --x={{VAR}} {{model_name}}", everywhere(text)));
    expect(words).toHaveLength(hostile.length * 3);
    const environment = Object.fromEntries(hostile.map((text, index) => [`HOSTILE_${index}`, text]));
    await expectVerbatim(python, folder, [...words, ...hostile], environment);
  });

  it("gets values of 100 kB byte for byte", async () => {
    const [python, folder] = [await findPython(), await temporaryFolder()];
    // Less than a megabyte in all: some systems give a process no more.
    const texts = ["' ; touch canary ; '", "\n{{port}}", "😀", '"\\$`'].map(huge);
    const words = texts.flatMap((text) => renderCommand("{{model_path}}", everywhere(text)));
    await expectVerbatim(
      python,
      folder,
      words,
      Object.fromEntries(texts.map((text, index) => [`HUGE_${index}`, text])),
    );
  });

  it("gets any rendered command and environment byte for byte", async () => {
    const [python, folder] = [await findPython(), await temporaryFolder()];
    await fc.assert(
      fc.asyncProperty(
        command,
        valuesOf(value),
        fc.array(value, { maxLength: 5 }),
        async (pieces, values, parameters) => {
          const words = renderCommand(templateOf(pieces), values);
          await expectVerbatim(python, folder, [...words, ...parameters], { ...values.environment });
        },
      ),
      { numRuns: 20 },
    );
  }, 120_000);
});

function placeholders<T>(value: T) {
  const place = { port: value, worker_ip: value, gpu_count: value, gpu_ids: value };
  return { model_path: value, mmproj_path: value, model_name: value, ...place };
}
