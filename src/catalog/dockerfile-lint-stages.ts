import { Keyword } from "dockerfile-ast";

import type { DockerfileSubject } from "./dockerfile-arguments.js";
import { at, type LintFinding } from "./dockerfile-finding.js";
import type { Dockerfile, DockerfileInstruction, DockerfileStage } from "./dockerfile.js";

const shell = ["/bin/bash", "-eo", "pipefail", "-c"];
const entrypoint = ["tini", "--"];
const platformArguments = ["TARGETPLATFORM", "TARGETOS", "TARGETARCH"];
const keywords = new Set<string>(Object.values(Keyword));

export function lintStages(dockerfile: Dockerfile, { services }: DockerfileSubject): LintFinding[] {
  const { stages, stray } = dockerfile;
  const begin = stages[0] ?? { line: 1, column: 1 };
  const missing = services
    .filter((service) => !stages.some(({ name }) => name === service))
    .map((service) => at(begin, "stage-target", `there is no stage ${service}`));
  return [
    ...stray.map((one) => at(one, "instruction", `${one.keyword} stands before the first stage`)),
    ...(stages[0]?.name === "runtime" ? [] : [at(begin, "stage-runtime", "the first stage is not runtime")]),
    ...missing,
    ...stages.flatMap((stage) => [
      ...lintName(stage, services),
      ...lintCase(dockerfile, stage),
      ...lintInstructions(stage),
      ...lintBegin(stage),
      ...(services.includes(stage.name ?? "") ? lintEnd(stage) : []),
    ]),
  ];
}

function lintName(stage: DockerfileStage, services: readonly string[]): LintFinding[] {
  const { name } = stage;
  if (name === undefined) return [at(stage, "stage-name", "the stage has no name")];
  const isKnown =
    name === "runtime" ||
    services.some((service) => name === service || name === `${service}-build` || name.startsWith(`${service}-build-`));
  if (isKnown || name !== name.toLowerCase()) return [];
  const expected = services.map((service) => `${service}, ${service}-build, ${service}-build-PART`).join(", ");
  return [at(stage, "stage-name", `${name} is none of runtime, ${expected}`)];
}

/** Of an image's name: what is not a variable. */
function lintCase({ arguments: declared }: Dockerfile, stage: DockerfileStage): LintFinding[] {
  const isLow = (text: string) => text === text.toLowerCase();
  const base = stage.base.replace(/\$\{[^}]*\}|\$\w+/g, "");
  const findings: LintFinding[] = [];
  if (!isLow(stage.name ?? ""))
    findings.push(at(stage, "lower-case", `the stage ${stage.name ?? ""} has capital letters`));
  if (!isLow(base)) findings.push(at(stage, "lower-case", `the image ${stage.base} has capital letters`));
  for (const one of declared) {
    const isUsed = stage.base.includes(one.name) && one.name.endsWith("_BASE_IMAGE");
    const value = one.value?.replace(/\$\{[^}]*\}|\$\w+/g, "") ?? "";
    if (isUsed && !isLow(value))
      findings.push(at(one, "lower-case", `the image ${one.value ?? ""} has capital letters`));
  }
  return findings;
}

function lintInstructions({ instructions }: DockerfileStage): LintFinding[] {
  return instructions.flatMap((one) => {
    if (!keywords.has(one.keyword)) return [at(one, "instruction", `${one.keyword} is no instruction`)];
    if (one.keyword !== "RUN" || one.isHeredoc) return [];
    return [at(one, "run-heredoc", "the command is no here-document (RUN <<EOF)")];
  });
}

function lintBegin(stage: DockerfileStage): LintFinding[] {
  const { instructions } = stage;
  const name = stage.name ?? stage.base;
  const [first] = instructions;
  const hasShell = first?.keyword === "SHELL" && isSame(first.words, shell);
  const declared = instructions.flatMap((one) => one.arguments.map((argument) => argument.name));
  return [
    ...(hasShell ? [] : [at(stage, "stage-shell", `the stage ${name} does not begin with SHELL ${json(shell)}`)]),
    ...platformArguments
      .filter((argument) => !declared.includes(argument))
      .map((argument) => at(stage, "stage-platform", `the stage ${name} does not declare ${argument}`)),
  ];
}

function lintEnd(stage: DockerfileStage): LintFinding[] {
  const last = (keyword: string): DockerfileInstruction | undefined =>
    stage.instructions.findLast((one) => one.keyword === keyword);
  const folder = last("WORKDIR");
  const command = last("ENTRYPOINT");
  return [
    ...(folder?.text === "/" ? [] : [at(folder ?? stage, "workdir-root", "the stage does not end with WORKDIR /")]),
    ...(isSame(command?.words, entrypoint)
      ? []
      : [at(command ?? stage, "entrypoint-tini", `the stage does not have ENTRYPOINT ${json(entrypoint)}`)]),
  ];
}

function isSame(words: readonly string[] | undefined, wanted: readonly string[]): boolean {
  return words !== undefined && words.length === wanted.length && words.every((word, index) => word === wanted[index]);
}

function json(words: readonly string[]): string {
  return `[${words.map((word) => JSON.stringify(word)).join(", ")}]`;
}
