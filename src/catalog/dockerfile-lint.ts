import { fileLineOrder, type LintFinding } from "./dockerfile-finding.js";
import { lintArguments } from "./dockerfile-lint-arguments.js";
import { lintHeader } from "./dockerfile-lint-header.js";
import { lintStages } from "./dockerfile-lint-stages.js";
import type { DockerfileSubject } from "./dockerfile-arguments.js";
import { parseDockerfile } from "./dockerfile.js";

/**
 * Where a Dockerfile of runner images does not follow the convention (`docs/runners.md`), in the order of the file.
 *
 * @param services those that the file has to have a target for
 */
export function lintDockerfile(text: string, file: string, subject: DockerfileSubject): LintFinding[] {
  const dockerfile = parseDockerfile(text, file);
  const findings = [
    ...lintHeader(dockerfile),
    ...lintArguments(dockerfile, subject),
    ...lintStages(dockerfile, subject),
  ];
  return findings.sort(fileLineOrder);
}
