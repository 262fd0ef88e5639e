import { at, type LintFinding } from "./dockerfile-finding.js";
import type { Dockerfile, TextPlace } from "./dockerfile.js";

/** What the comment at the head says of one argument. */
export interface ArgumentUsage extends TextPlace {
  readonly name: string;
  readonly isPlaceholder: boolean;
}

export function lintHeader(dockerfile: Dockerfile): LintFinding[] {
  const { header, arguments: declared } = dockerfile;
  const begin = { line: 1, column: 1 };
  const findings: LintFinding[] = [];
  const usage = usageBegin(dockerfile);
  const steps = header.slice(0, usage < 0 ? undefined : usage);
  if (!steps.some(({ text }) => /^(?:[-*]\s+)?(?:step\s+)?\d+[.):]/i.test(text))) {
    findings.push(at(steps[0] ?? begin, "header-steps", "the comment at its head tells no steps (1. ..., 2. ...)"));
  }
  if (usage < 0) {
    const place = header[0] ?? begin;
    return [...findings, at(place, "header-arguments", "the comment at its head has no part `Argument usage`")];
  }
  const used = readUsages(dockerfile);
  const missing = declared.filter(({ name }) => !used.some((one) => one.name === name));
  const superfluous = used.filter(({ name }) => !declared.some((one) => one.name === name));
  const twice = used.filter(({ name }, index) => used.findIndex((one) => one.name === name) < index);
  return [
    ...findings,
    ...missing.map((one) => at(one, "header-arguments", `\`Argument usage\` says nothing of ${one.name}`)),
    ...superfluous.map((one) => at(one, "header-arguments", `there is no ARG ${one.name}`)),
    ...twice.map((one) => at(one, "header-arguments", `${one.name} is there twice`)),
  ];
}

/** The arguments that the comment tells of, each with all of its lines. */
export function readUsages(dockerfile: Dockerfile): ArgumentUsage[] {
  const begin = usageBegin(dockerfile);
  const usages: (ArgumentUsage & { isPlaceholder: boolean })[] = [];
  for (const { line, column, text } of begin < 0 ? [] : dockerfile.header.slice(begin + 1)) {
    const [, name] = /^(?:[-*]\s+)?([A-Z][A-Z0-9_]*)\s*:/.exec(text) ?? [];
    if (name !== undefined) usages.push({ line, column, name, isPlaceholder: false });
    const last = usages.at(-1);
    if (last !== undefined && text.includes("(PLACEHOLDER)")) last.isPlaceholder = true;
  }
  return usages;
}

function usageBegin({ header }: Dockerfile): number {
  return header.findIndex(({ text }) => /^arguments? usage\b/i.test(text));
}
