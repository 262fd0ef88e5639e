import type { TextPlace } from "./dockerfile.js";

/** The convention of runner images' Dockerfiles, rule by rule. `docs/runners.md` lists them. */
export const dockerfileRules = {
  "header-steps": "The file begins with a comment that tells its steps, numbered.",
  "header-arguments":
    "The comment has a part `Argument usage` with a line `- NAME: ...` for each `ARG`, and for no other.",
  "arg-single": "An `ARG` declares one argument.",
  "arg-required": "Every required argument is declared before the first stage, with a value.",
  "arg-order": "Arguments stand in their order: of all, of the accelerator type, of each service.",
  "arg-placeholder": "A required argument that no stage takes is marked `(PLACEHOLDER)`, and none other is.",
  "arg-unused": "An argument that is not required is taken by a stage.",
  "from-argument": "`FROM` uses arguments that are declared before the first stage.",
  "stage-name": "Every stage has a name: `runtime`, a service, or one that begins with a service's name and `-build`.",
  "stage-runtime": "There is a stage `runtime`, before all others.",
  "stage-target": "There is a stage for each service, with its name.",
  "stage-shell": 'Every stage begins with `SHELL ["/bin/bash", "-eo", "pipefail", "-c"]`.',
  "stage-platform": "Every stage declares `TARGETPLATFORM`, `TARGETOS` and `TARGETARCH`.",
  "run-heredoc": "Every `RUN` is a here-document.",
  "workdir-root": "A service's stage ends in the folder `/`.",
  "entrypoint-tini": 'A service\'s stage has `ENTRYPOINT [ "tini", "--" ]`.',
  "lower-case": "Names of stages and images have small letters alone.",
  instruction: "There are no other instructions than Docker's, and none but `ARG` before the first stage.",
} as const;

export type DockerfileRule = keyof typeof dockerfileRules;

export interface LintFinding extends TextPlace {
  readonly rule: DockerfileRule;
  readonly text: string;
}

export function fileLineOrder(a: LintFinding, b: LintFinding): number {
  return a.line - b.line || a.column - b.column || a.rule.localeCompare(b.rule);
}

/** The place of something, without what it is. */
export function at({ line, column }: TextPlace, rule: DockerfileRule, text: string): LintFinding {
  return { line, column, rule, text };
}
