import {
  Arg,
  DockerfileParser,
  JSONInstruction,
  ModifiableInstruction,
  Run,
  type From,
  type Instruction,
} from "dockerfile-ast";

/** Where something stands, from 1. */
export interface TextPlace {
  readonly line: number;
  readonly column: number;
}

/** `ARG NAME=value`: an argument of a build. */
export interface DockerfileArgument extends TextPlace {
  readonly name: string;
  /** Undefined where none is given. */
  readonly value: string | undefined;
}

export interface DockerfileInstruction extends TextPlace {
  /** In capital letters: `RUN`. */
  readonly keyword: string;
  /** What follows the keyword and its flags. */
  readonly text: string;
  /** The words of a list in JSON, `["tini", "--"]`; undefined for any other text. */
  readonly words: readonly string[] | undefined;
  /** Of an `ARG` alone. */
  readonly arguments: readonly DockerfileArgument[];
  /** Whether a `RUN` is a here-document. */
  readonly isHeredoc: boolean;
  /** Stages and images that it copies from or mounts. */
  readonly sources: readonly string[];
}

export interface DockerfileStage extends TextPlace {
  /** Undefined for a stage that has no `AS`. */
  readonly name: string | undefined;
  /** The image or stage that it is made from, with its variables as they stand. */
  readonly base: string;
  readonly instructions: readonly DockerfileInstruction[];
}

/** What Berth reads of a Dockerfile. */
export interface Dockerfile {
  /** As errors name it. */
  readonly file: string;
  /** Lines of the comment that it begins with, without their `#`, and without directives. */
  readonly header: readonly (TextPlace & { readonly text: string })[];
  /** The image that reads it, by `# syntax=`; undefined for the engine's own reader. */
  readonly syntax: string | undefined;
  /** Those before the first stage, which `FROM` can use. */
  readonly arguments: readonly DockerfileArgument[];
  readonly stages: readonly DockerfileStage[];
  /** What stands before the first stage and is no `ARG`. */
  readonly stray: readonly DockerfileInstruction[];
}

/** Reads a Dockerfile. What is wrong with it is told by {@link lintDockerfile} and by who builds it. */
export function parseDockerfile(text: string, file: string): Dockerfile {
  const parsed = DockerfileParser.parse(text);
  const all = parsed.getInstructions();
  const first = all.findIndex(isFrom);
  const before = (first < 0 ? all : all.slice(0, first)).map(read);
  const stages: (DockerfileStage & { instructions: DockerfileInstruction[] })[] = [];
  for (const instruction of first < 0 ? [] : all.slice(first)) {
    if (isFrom(instruction)) {
      const [base, name] = [instruction.getImage() ?? "", instruction.getBuildStage() ?? undefined];
      stages.push({ ...placeOf(instruction), base, name, instructions: [] });
    } else {
      stages.at(-1)?.instructions.push(read(instruction));
    }
  }
  return {
    file,
    header: readHeader(text),
    syntax: parsed
      .getDirectives()
      .find((one) => one.getName().toLowerCase() === "syntax")
      ?.getValue(),
    arguments: before.flatMap((one) => one.arguments),
    stages,
    stray: before.filter(({ keyword }) => keyword !== "ARG"),
  };
}

/** Fills `$NAME`, `${NAME}`, `${NAME:-else}` and `${NAME:+then}`; what has no value is empty, as a build has it. */
export function fillVariables(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(
    /\$(?:\{(\w+)(?::([-+])([^}]*))?\}|(\w+))/g,
    (_all, braced: string | undefined, sign: string | undefined, other = "", plain = "") => {
      const name = braced ?? (plain as string);
      const value = Object.hasOwn(values, name) ? (values[name] ?? "") : "";
      if (sign === "-") return value === "" ? fillVariables(other as string, values) : value;
      if (sign === "+") return value === "" ? "" : fillVariables(other as string, values);
      return value;
    },
  );
}

/** The names that a text's variables have. */
export function variablesOf(text: string): string[] {
  return [...text.matchAll(/\$\{?(\w+)/g)].map(([, name = ""]) => name);
}

/** The stages that a build of a target goes through, the target last; none for a target that there is not. */
export function stagesOf(
  { stages }: Pick<Dockerfile, "stages">,
  target: string,
  values: Readonly<Record<string, string>>,
): DockerfileStage[] {
  const found = new Set<DockerfileStage>();
  const visit = (name: string, upTo: number): void => {
    const index = stages.findLastIndex((stage, at) => at < upTo && stage.name?.toLowerCase() === name.toLowerCase());
    const stage = stages[index];
    if (stage === undefined || found.has(stage)) return;
    visit(fillVariables(stage.base, values), index);
    for (const { sources } of stage.instructions) for (const source of sources) visit(source, index);
    found.add(stage);
  };
  visit(target, stages.length);
  return [...found];
}

function isFrom(instruction: Instruction): instruction is From {
  return instruction.getKeyword() === "FROM";
}

function read(instruction: Instruction): DockerfileInstruction {
  const isWritten = instruction instanceof JSONInstruction && instruction.getOpeningBracket() !== null;
  return {
    ...placeOf(instruction),
    keyword: instruction.getKeyword(),
    text: instruction.getArgumentsContent() ?? "",
    words: isWritten ? instruction.getJSONStrings().map((word) => word.getJSONValue()) : undefined,
    arguments: instruction instanceof Arg ? readArguments(instruction) : [],
    isHeredoc: instruction instanceof Run && instruction.getHeredocs().length > 0,
    sources: instruction instanceof ModifiableInstruction ? sourcesOf(instruction) : [],
  };
}

/** One for each word, as `ARG A=1 B=2` has two. */
function readArguments(instruction: Arg): DockerfileArgument[] {
  const words = instruction.getPropertyArguments();
  const property = words.length === 1 ? instruction.getProperty() : null;
  if (property !== null) {
    return [{ ...placeOf(instruction), name: property.getName(), value: property.getValue() ?? undefined }];
  }
  return words.map((word) => {
    const [, name = "", value] = /^([^=]*)(?:=["']?([^"']*)["']?)?$/.exec(word.getValue()) ?? [];
    return { ...placeOf(word), name, value };
  });
}

/** What `COPY --from` and `RUN --mount=from=` name. */
function sourcesOf(instruction: ModifiableInstruction): string[] {
  return instruction.getFlags().flatMap((flag) => {
    if (flag.getName() === "from") return [flag.getValue() ?? ""];
    return flag.getOptions().flatMap((option) => (option.getName() === "from" ? [option.getValue() ?? ""] : []));
  });
}

function placeOf(node: { getRange(): { start: { line: number; character: number } } | null }): TextPlace {
  const { line = 0, character = 0 } = node.getRange()?.start ?? {};
  return { line: line + 1, column: character + 1 };
}

/** Directives, `# syntax=`, may stand before it. A line that is no comment ends it; a blank one does not. */
function readHeader(text: string): Dockerfile["header"] {
  const lines = text.split(/\r?\n/);
  const end = lines.findIndex((line) => !/^\s*(?:#|$)/.test(line));
  const head = lines.slice(0, end < 0 ? lines.length : end).map((line, index) => ({ line: index + 1, text: line }));
  const begin = head.findIndex(({ text: line }) => !/^\s*#\s*(?:syntax|escape|check)\s*=/i.test(line));
  return head
    .slice(begin < 0 ? head.length : begin)
    .filter(({ text: line }) => line.trim() !== "")
    .map(({ line, text: comment }) => {
      const [, indent = "", rest = ""] = /^(\s*)#(.*)$/.exec(comment) ?? [];
      return { line, column: indent.length + 1, text: rest.trim() };
    });
}
