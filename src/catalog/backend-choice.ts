import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import { backendFile, backendVersion, type BackendVersionEntry, type ImageInstall } from "../schema/backend.js";
import { version as versionName } from "../schema/scalars.js";
import type { StackFile } from "../schema/stack.js";
import { parseConstraint, sameVersion, withoutV } from "../schema/version-constraint.js";
import { findBackend, type ResolvedBackend } from "./catalogue.js";
import { parseImageReference } from "./image-reference.js";
import type { EngineProblem } from "./release-problem.js";
import type { RunnerCatalogue } from "./runner-catalogue.js";
import { requestRunnerImage } from "./runner-install.js";
import { chooseInstall, formatOf, selectBackend, type AskRunnerImage, type Platform } from "./selection.js";

/** Backends from which `backend: auto` chooses. */
export const autoBackends: readonly string[] = ["llama-box", "llama-cpp", "mindie", "vllm", "vox-box"];

/** Backends that something in a stack may turn out to use, some of them several times. */
export function usableBackends({ deployments, preload }: Pick<StackFile, "deployments" | "preload">): string[] {
  const asked = [...Object.values(deployments), ...Object.values(preload)];
  return asked.flatMap(({ backend }) => (backend === "auto" ? autoBackends : backend === undefined ? [] : [backend]));
}

/** The backend of deployments that say everything themselves. */
const custom = "custom";

/** The backend version of a deployment: named, chosen by the model, or told by the deployment alone. Pure. */
export function chooseBackend(problem: EngineProblem): ResolvedBackend {
  const { catalogue, deployment, model } = problem;
  if (deployment.backend === custom && lookUp(catalogue.backends, custom) === undefined) return customBackend(problem);
  if (deployment.backend !== "auto") return namedBackend(problem, deployment.backend);
  if (deployment.imageName !== undefined) throw engineOfImage(problem, deployment.imageName);
  if (model === undefined) throw new Error("a backend is chosen by a model");
  const { backend, reason } = selectBackend({
    format: model.format ?? formatOf([model.file]),
    category: deployment.category ?? model.category ?? "llm",
    acceleratorType: problem.platform.acceleratorType,
    ...(deployment.prefer === undefined ? {} : { prefer: deployment.prefer }),
    canServe: (name) => canServe(problem, name),
  });
  const resolved = namedBackend(problem, backend);
  return { ...resolved, reason: `${reason}; ${resolved.reason}` };
}

function namedBackend(problem: EngineProblem, name: string): ResolvedBackend {
  const { catalogue, deployment, before, platform, where } = problem;
  const { imageName, install: asked } = deployment;
  const backend = lookUp(catalogue.backends, name);
  if (imageName === undefined && asked !== "manual") {
    const kept = before?.backend === name ? before.backendVersion : undefined;
    const order = backend?.installOrder;
    const choose = (on: Platform, entry: BackendVersionEntry, version: string) =>
      chooseInstall(restrictInstall(entry, deployment), on, asked, order, askFor(problem, version));
    const fits = (on: Platform) => (entry: BackendVersionEntry, version: string) => choose(on, entry, version).ok;
    // Of versions that nobody named one is better whose runner image is not above the host's runtime.
    const fitsWell = (entry: BackendVersionEntry, version: string) => {
      const way = choose(platform, entry, version);
      return way.ok && !(way.method === "image" && way.runnerImage?.isAbove === true);
    };
    const preferences = [fitsWell, fits(platform), fits({ ...platform, acceleratorType: "cpu" })];
    return findBackend(catalogue, { name, version: deployment.backendVersion, before: kept, preferences, where });
  }
  // A version that nobody knows is allowed, because the deployment says how to install it.
  const known = Object.keys(backend?.versions ?? {});
  const version = imageName === undefined ? deployment.backendVersion : versionOfImage(imageName, known, problem);
  if (backend !== undefined && version !== undefined && !known.some((each) => sameVersion(each, version))) {
    const entry = backendVersion.parse({ install: ownInstall(deployment, undefined) });
    return { backend, version: exactly(version, where), entry, reason: "told by the deployment" };
  }
  const found = findBackend(catalogue, { name, version, where });
  return { ...found, entry: { ...found.entry, install: ownInstall(deployment, found.entry) } };
}

/** What a deployment's runner image leaves of the ways to install a version. */
export function restrictInstall(
  entry: BackendVersionEntry,
  { runnerImage }: Pick<EngineProblem["deployment"], "runnerImage">,
): BackendVersionEntry {
  if (runnerImage === undefined) return entry;
  const { runnerImage: own } = entry.install;
  return { ...entry, install: own === undefined ? {} : { runnerImage: own } };
}

/** Asks for runner images of a version, where the problem says of whom. */
export function askFor({ findRunnerImage, deployment }: EngineProblem, version: string): AskRunnerImage | undefined {
  if (findRunnerImage === undefined) return undefined;
  return (install, acceleratorType) =>
    findRunnerImage(requestRunnerImage(install, version, { asked: deployment.backendVersion, acceleratorType }));
}

/** How a deployment itself says that it is installed: its image, or what an administrator put on the host. */
function ownInstall(
  { imageName }: EngineProblem["deployment"],
  known: BackendVersionEntry | undefined,
): BackendVersionEntry["install"] {
  if (imageName === undefined) return { ...known?.install, manual: known?.install.manual ?? {} };
  const [reference = "", digest] = imageName.split("@");
  // Nothing is known of what it runs on: not what the image is for that it takes the place of.
  const platforms: ImageInstall["platforms"] = ["linux/amd64", "linux/arm64"];
  return { image: { reference, platforms, ...(digest === undefined ? {} : { digest }) } };
}

/** The version that is in an image: the one that is named, else the one of its tag; undefined when neither tells. */
function versionOfImage(
  imageName: string,
  known: readonly string[],
  { deployment: { backendVersion: asked }, where }: EngineProblem,
): string | undefined {
  if (asked !== undefined) return exactly(asked, where);
  const { tag } = parseImageReference(imageName);
  if (tag === undefined) return undefined;
  const named = known.find((version) => sameVersion(version, tag));
  return named ?? (/^v?\d+\.\d+/.test(tag) ? exactly(tag, where) : undefined);
}

function engineOfImage({ where }: EngineProblem, imageName: string): BerthError {
  return new BerthError("stack-inconsistent", {
    where,
    what: "it is not told which engine is in the image",
    got: `backend: auto, imageName: ${imageName}`,
    hint: "name the engine as `backend`, or `custom`",
  });
}

function canServe({ catalogue, deployment, platform, where }: EngineProblem, name: string): boolean {
  if (lookUp(catalogue.backends, name) === undefined) return false;
  try {
    const { entry, version } = findBackend(catalogue, { name, version: deployment.backendVersion, where });
    return acceleratorsOf(entry, version, catalogue.runners).includes(platform.acceleratorType);
  } catch {
    return false;
  }
}

function acceleratorsOf(
  { install }: BackendVersionEntry,
  version: string,
  runners: RunnerCatalogue | undefined,
): readonly string[] {
  const { binary = [], pipx, image, manual, runnerImage } = install;
  const own = [...binary, pipx, image, manual].flatMap((way) => way?.acceleratorTypes ?? []);
  if (runnerImage === undefined) return own;
  const { service, serviceVersion = withoutV(version) } = runnerImage;
  const images = (runners?.images ?? []).filter(
    (each) => each.service === service && each.serviceVersion === serviceVersion && each.published,
  );
  return [...own, ...images.map(({ acceleratorType }) => acceleratorType)];
}

/** `backend: custom`: an image and its command need no file. */
function customBackend({ deployment, where }: EngineProblem): ResolvedBackend {
  const { imageName, backendVersion: asked, runCommand = "" } = deployment;
  if (imageName === undefined) {
    throw new BerthError("stack-inconsistent", {
      where,
      what: "a custom backend needs an image",
      expected: "`imageName`, and mostly `runCommand`",
      hint: "add them, or name a backend of backends/",
    });
  }
  const { tag = "latest" } = parseImageReference(imageName);
  const version = exactly(asked ?? tag, where);
  const entry = backendVersion.parse({ install: ownInstall(deployment, undefined) });
  const backend = backendFile.parse({ schemaVersion: 1, name: custom, runCommand, versions: { [version]: entry } });
  return { backend, version, entry, reason: "told by the deployment" };
}

/** A version that no file has to know: named, and not described. */
function exactly(version: string, where: string): string {
  const isName = versionName.safeParse(version).success;
  if (isName && parseConstraint(version, where).clauses.every(({ operator }) => operator === "exact")) return version;
  throw new BerthError("stack-inconsistent", {
    where,
    what: "a version that no file knows has to be named exactly",
    got: version,
    expected: "1 to 64 characters of letters, digits and . _ + -, such as 0.19.0",
    hint: "give it as `backendVersion`",
  });
}
