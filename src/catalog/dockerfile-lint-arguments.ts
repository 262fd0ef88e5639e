import { argumentNames, argumentRank, isFrameworkVersion, type DockerfileSubject } from "./dockerfile-arguments.js";
import { at, type LintFinding } from "./dockerfile-finding.js";
import { readUsages } from "./dockerfile-lint-header.js";
import { variablesOf, type Dockerfile, type DockerfileArgument, type TextPlace } from "./dockerfile.js";

/** Arguments that a build has without any `ARG` before the first stage. */
const platformArguments = /^(?:TARGET|BUILD)(?:PLATFORM|OS|ARCH|VARIANT)$/;

export function lintArguments(dockerfile: Dockerfile, subject: DockerfileSubject): LintFinding[] {
  return [
    ...lintSingle(dockerfile),
    ...lintRequired(dockerfile, subject),
    ...lintOrder(dockerfile, subject),
    ...lintTaken(dockerfile, subject),
    ...lintFrom(dockerfile),
  ];
}

function lintSingle({ arguments: declared, stages }: Dockerfile): LintFinding[] {
  const lists = [
    linesOf(declared),
    ...stages.flatMap(({ instructions }) => instructions.map((one) => linesOf(one.arguments))),
  ];
  return lists.flat().map((one) => at(one, "arg-single", `${one.name} stands in an ARG with others`));
}

/** Those that are not the first in their line. */
function linesOf(declared: readonly DockerfileArgument[]): DockerfileArgument[] {
  return declared.filter(({ line }, index) => declared.findIndex((one) => one.line === line) < index);
}

function lintRequired({ arguments: declared, stages }: Dockerfile, subject: DockerfileSubject): LintFinding[] {
  const { general, version, archs, services } = argumentNames(subject);
  const place = declared[0] ?? stages[0] ?? { line: 1, column: 1 };
  const lacking = (name: string): LintFinding[] => {
    const found = declared.find((one) => one.name === name);
    if (found === undefined) return [at(place, "arg-required", `there is no ARG ${name}`)];
    const isEmpty = found.value === undefined || found.value === "";
    return isEmpty ? [at(found, "arg-required", `${name} has no value`)] : [];
  };
  const ofServices = services.flatMap(({ service, baseImage, version: own, prefix }) => {
    const hasFramework = declared.some(({ name }) => isFrameworkVersion(name, service));
    const text = `there is no ARG with the version of a framework of ${service}, such as ${prefix}TORCH_VERSION`;
    return [baseImage, own].flatMap(lacking).concat(hasFramework ? [] : [at(place, "arg-required", text)]);
  });
  return [...[...general, version, archs].flatMap(lacking), ...ofServices];
}

function lintOrder({ arguments: declared }: Dockerfile, subject: DockerfileSubject): LintFinding[] {
  const { services } = argumentNames(subject);
  // Services follow each other in the order in which the file has them.
  const firstOf = (prefix: string) => declared.findIndex(({ name }) => name.startsWith(prefix));
  const ordered = [...services].sort((a, b) => firstOf(a.prefix) - firstOf(b.prefix)).map(({ service }) => service);
  const ranked = declared.map((one) => ({ one, rank: argumentRank(one.name, { ...subject, services: ordered }) }));
  return ranked.flatMap(({ one, rank }, index) => {
    const later = ranked.slice(0, index).find(({ rank: before }) => compare(before, rank) > 0);
    return later === undefined ? [] : [at(one, "arg-order", `${one.name} stands before ${later.one.name}`)];
  });
}

function compare(a: readonly [number, number], b: readonly [number, number]): number {
  return a[0] - b[0] || a[1] - b[1];
}

function lintTaken(dockerfile: Dockerfile, subject: DockerfileSubject): LintFinding[] {
  const { stages, arguments: declared } = dockerfile;
  const taken = new Set([
    ...stages.flatMap(({ base }) => variablesOf(base)),
    ...stages.flatMap(({ instructions }) =>
      instructions.flatMap((one) => [...one.arguments.map(({ name }) => name), ...one.sources.flatMap(variablesOf)]),
    ),
    // One may be the default of another.
    ...declared.flatMap(({ value = "" }) => variablesOf(value)),
  ]);
  const usages = readUsages(dockerfile);
  return declared.flatMap((one): LintFinding[] => {
    const usage = usages.find(({ name }) => name === one.name);
    const isPlaceholder = usage?.isPlaceholder === true;
    const place: TextPlace = usage ?? one;
    if (taken.has(one.name)) {
      if (!isPlaceholder) return [];
      return [at(place, "arg-placeholder", `${one.name} is taken by a stage, and marked (PLACEHOLDER)`)];
    }
    if (!isRequired(one.name, subject)) return [at(one, "arg-unused", `no stage takes ${one.name}`)];
    if (isPlaceholder || usage === undefined) return [];
    return [at(place, "arg-placeholder", `no stage takes ${one.name}, and it is not marked (PLACEHOLDER)`)];
  });
}

function isRequired(name: string, subject: DockerfileSubject): boolean {
  const { general, version, archs, services } = argumentNames(subject);
  if ([...general, version, archs].includes(name)) return true;
  return services.some((one) => [one.baseImage, one.version].includes(name) || isFrameworkVersion(name, one.service));
}

function lintFrom({ stages, arguments: declared }: Dockerfile): LintFinding[] {
  return stages.flatMap((stage) =>
    variablesOf(stage.base)
      .filter((name) => !platformArguments.test(name) && !declared.some((one) => one.name === name))
      .map((name) => at(stage, "from-argument", `no ARG before the first stage declares ${name}`)),
  );
}
