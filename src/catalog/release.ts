import { digest } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import type { BackendFile, BackendVersionEntry, Distribution } from "../schema/backend.js";
import type { LockedDeployment, LockedInstall } from "../schema/lock.js";
import { runnerRepository } from "../schema/runner.js";
import { parseConstraint } from "../schema/version-constraint.js";
import { refuseAbbreviations } from "./abbreviation.js";
import { pinnedInstall, type DraftInstall } from "./artifact.js";
import type { ResolvedBackend } from "./catalogue.js";
import { checkArchitecture, readParameters, splitParameters, unknownFlags } from "./parameters.js";
import { chooseCategory } from "./category.js";
import { lockContainer } from "./container.js";
import { chooseRunnerTemplates, type RunnerForm } from "./runner-command.js";
import { chooseBackend } from "./backend-choice.js";
import { chooseWay, draftInstall, runnerNotes, runnerOf, type ChosenWay } from "./install-way.js";
import type { EngineProblem, ReleaseProblem } from "./release-problem.js";
import type { ChosenRunnerImage } from "./runner-install.js";
import type { ModelCategory, Platform } from "./selection.js";
import { covers } from "./version.js";

/** Values that a deployment's parameters give and Berth decides otherwise: they bind it. */
export interface ParameterConstraints {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly tensorParallelSize?: number | undefined;
}

/** A backend version, before its artifact is pinned. */
export interface DraftEngine {
  readonly release: Pick<LockedDeployment, "backend" | "backendVersion">;
  readonly install: DraftInstall;
  readonly backend: BackendFile;
  /** What it was drafted for. */
  readonly platform: Platform;
  /** Why it was decided so, one line. */
  readonly reason: string;
  /** What is odd but allowed, one sentence each. */
  readonly warnings: readonly string[];
  /** The image of the catalogue, where it is one. */
  readonly runnerImage?: ChosenRunnerImage | undefined;
}

export interface DraftRelease extends DraftEngine {
  readonly release: Omit<LockedDeployment, "id" | "install">;
  readonly constraints: ParameterConstraints;
  /** Whether the version can be told exactly what memory to take. */
  readonly isExact: boolean;
}

/** What a deployment is: backend version, way to install it, model and command. The same in every environment. */
export function draftRelease(problem: ReleaseProblem): DraftRelease {
  const { deployment, model, platform, where } = problem;
  const chosen = chooseBackend(problem);
  const { backend, version, entry } = chosen;
  // What GGUF files call an architecture is llama.cpp's name for it, not that of its configuration.
  const told = model.format === "gguf" ? undefined : model.architecture;
  checkArchitecture(entry.architectures, deployment.architecture ?? told, where);
  const category = chooseCategory(backend, deployment.category ?? model.category, where);
  const { way, onCpu } = chooseWay(problem, chosen);
  const placed = onCpu ? { ...platform, acceleratorType: "cpu" as const } : platform;
  const satisfies = satisfiedBy(backend, where);
  const templates = chooseRunnerTemplates({
    backend,
    version,
    entry,
    deployment,
    form: formOf(way),
    satisfies,
  });
  const given = [...(deployment.parameters ?? backend.defaultParameters), ...deployment.extraParameters];
  const parameters = readParameters(
    splitParameters(given, where),
    backend.flags,
    backend.ownedFlags,
    [...(backend.contextLengthFlag === undefined ? [] : [backend.contextLengthFlag]), ...backend.contextLengthAliases],
    where,
  );
  refuseAbbreviations(parameters.rest, backend, entry.knownFlags, where);
  const { apiKeyVariable } = backend;
  const contextLength = deployment.contextLength ?? defaultContextLength(category);
  const { host, port, tensorParallelSize, servedModel, rest } = parameters;
  return {
    release: {
      backend: backend.name,
      backendVersion: version,
      acceleratorType: placed.acceleratorType,
      ...(tensorParallelSize === undefined ? {} : { tensorParallelSize }),
      model,
      ...(templates.entrypoint === undefined ? {} : { entrypoint: templates.entrypoint.text }),
      runCommand: templates.runCommand.text,
      parameters: [...contextWords(backend, contextLength), ...rest],
      env: templates.env,
      ...(apiKeyVariable === undefined ? {} : { apiKeyVariable }),
      ...lifeOf(backend, entry),
      ...projectorOf(problem, chosen, templates.runCommand.text, rest),
      ...(category === "llm" ? {} : { category }),
      ...lockContainer({ backend, entry, deployment }, { method: way.method, tensorParallelSize, where }),
      ...(servedModel === undefined ? {} : { servedModel }),
      ...distributionOf(way, backend, entry),
    },
    install: draftInstall(chosen, placed, way),
    backend,
    platform: placed,
    constraints: { host, port, tensorParallelSize },
    isExact: backend.memory?.exact !== undefined && satisfies(version, backend.memory.exact),
    reason: `${backend.name} ${version}: ${chosen.reason}; ${way.reason}`,
    warnings: [...warningsOf(problem, chosen, rest, onCpu), ...runnerNotes(way, where)],
    ...runnerOf(way),
  };
}

/** What a runner image starts is known by the repository of the release, wherever it is had from. */
function formOf(way: ChosenWay): RunnerForm {
  if (way.method !== "image") return { kind: "process", executable: "" };
  return { kind: "container", image: way.runnerImage === undefined ? way.image.reference : runnerRepository };
}

/** What brings the programs of a way to have several hosts: archives an RPC server, Python environments Ray. */
const bringers: Readonly<Record<Distribution["method"], ChosenWay["method"]>> = { rpc: "binary", ray: "pipx" };

/** None where the release is installed in another way than the one that brings the programs for it. */
function distributionOf(
  { method }: ChosenWay,
  backend: BackendFile,
  entry: BackendVersionEntry,
): Pick<LockedDeployment, "distributed"> {
  const distributed = entry.distributed ?? backend.distributed;
  return distributed === undefined || method !== bringers[distributed.method] ? {} : { distributed };
}

/** How it is asked whether it is healthy, and how long it may take to stop. */
function lifeOf(backend: BackendFile, entry: BackendVersionEntry) {
  const healthRequest = entry.healthRequest ?? backend.healthRequest;
  const stopSeconds = entry.stopTimeout ?? backend.stopTimeout;
  return {
    healthPath: entry.healthPath ?? backend.healthPath,
    ...(healthRequest === undefined ? {} : { healthRequest }),
    ...(stopSeconds === undefined ? {} : { stopSeconds }),
  };
}

/** Whether a version of the backend meets a constraint. */
function satisfiedBy({ buildNumber }: BackendFile, where: string) {
  return (version: string, constraint: string) => covers(version, parseConstraint(constraint, where), buildNumber);
}

/** A backend version that no deployment runs yet. */
export function draftEngine(problem: EngineProblem): DraftEngine {
  const chosen = chooseBackend(problem);
  const { backend, version } = chosen;
  const { way, onCpu } = chooseWay(problem, chosen);
  const platform = onCpu ? { ...problem.platform, acceleratorType: "cpu" as const } : problem.platform;
  return {
    release: { backend: backend.name, backendVersion: version },
    install: draftInstall(chosen, platform, way),
    backend,
    platform,
    reason: `${backend.name} ${version}: ${chosen.reason}; ${way.reason}`,
    warnings: runnerNotes(way, problem.where),
    ...runnerOf(way),
  };
}

/** What an engine that generates text reserves when nobody says otherwise. The others take what the model has. */
function defaultContextLength(category: ModelCategory): number | undefined {
  return category === "llm" || category === "vlm" ? 8192 : undefined;
}

function contextWords({ contextLengthFlag: flag }: BackendFile, contextLength: number | undefined): string[] {
  return flag === undefined || contextLength === undefined ? [] : [flag, String(contextLength)];
}

function warningsOf(
  { deployment, platform, where }: ReleaseProblem,
  { backend, version, entry }: ResolvedBackend,
  rest: readonly string[],
  onCpu: boolean,
): string[] {
  const subject = `${backend.name} ${version}`;
  const unknown = unknownFlags(rest, entry.knownFlags).map(({ flag, nearest }) => {
    const meant = nearest === undefined ? "" : `; is ${nearest} meant?`;
    return `${where}: ${subject} is not known to have ${flag}${meant}`;
  });
  const unused = deployment.contextLength !== undefined && backend.contextLengthFlag === undefined;
  return [
    ...(onCpu ? [`${where}: ${subject} has nothing for ${platform.acceleratorType}, so it runs on the processor`] : []),
    ...unknown,
    ...(unused ? [`${where}: \`contextLength\` is not passed on, because ${backend.name} has no flag for it`] : []),
  ];
}

/** How the engine is given the model's projector, when neither command nor parameters do so. */
function projectorOf(
  { model }: ReleaseProblem,
  { backend: { projectorFlag } }: ResolvedBackend,
  runCommand: string,
  parameters: readonly string[],
): { projectorFlag?: string } {
  if (model.projector === undefined || projectorFlag === undefined) return {};
  const isGiven = parameters.some((word) => word === projectorFlag || word.startsWith(`${projectorFlag}=`));
  return isGiven || /\{\{\s*mmproj_path\s*\}\}/.test(runCommand) ? {} : { projectorFlag };
}

/** The release, with everything pinned. */
export function finishRelease({ release }: DraftRelease, install: LockedInstall): LockedDeployment {
  const { backend, backendVersion, ...rest } = release;
  const pinned = { backend, backendVersion, install, ...rest };
  return { id: digest(pinned), ...pinned };
}

/**
 * A release that the catalogue pins entirely.
 *
 * @throws BerthError `stack-inconsistent` when something of it is left for a lock to look up
 */
export function resolveRelease(problem: ReleaseProblem): LockedDeployment {
  const draft = draftRelease(problem);
  const install = pinnedInstall(problem.catalogue, draft.backend, draft.install);
  if (install !== undefined) return finishRelease(draft, install);
  const { backend, backendVersion } = draft.release;
  throw new BerthError("stack-inconsistent", {
    where: problem.where,
    what: "the backend version is not pinned",
    got: `${backend} ${backendVersion}`,
    hint: `run \`berth backend add-version ${backend} ${backendVersion}\`, which fills in its digests, or use a stack file, whose lock does so and looks signatures up`,
  });
}
