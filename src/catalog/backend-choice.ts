import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import { backendFile, backendVersion, type BackendVersionEntry } from "../schema/backend.js";
import { findBackend, type ResolvedBackend } from "./catalogue.js";
import { parseImageReference } from "./image-reference.js";
import type { ReleaseProblem } from "./release-problem.js";
import { formatOf, selectBackend } from "./selection.js";
import { sameVersion } from "./version.js";

/** Backends from which `backend: auto` chooses. */
export const autoBackends: readonly string[] = ["llama-box", "llama-cpp", "mindie", "vllm", "vox-box"];

/** The backend of deployments that say everything themselves. */
const custom = "custom";

/** The backend version of a deployment: named, chosen by the model, or told by the deployment alone. Pure. */
export function chooseBackend(problem: ReleaseProblem): ResolvedBackend {
  const { catalogue, deployment } = problem;
  if (deployment.backend === custom && lookUp(catalogue.backends, custom) === undefined) return customBackend(problem);
  if (deployment.backend !== "auto") return namedBackend(problem, deployment.backend);
  const { backend, reason } = selectBackend({
    format: formatOf([problem.model.file]),
    category: deployment.category ?? "llm",
    acceleratorType: problem.platform.acceleratorType,
    ...(deployment.prefer === undefined ? {} : { prefer: deployment.prefer }),
    canServe: (name) => canServe(problem, name),
  });
  const resolved = namedBackend(problem, backend);
  return { ...resolved, reason: `${reason}; ${resolved.reason}` };
}

function namedBackend(problem: ReleaseProblem, name: string): ResolvedBackend {
  const { catalogue, deployment, before, where } = problem;
  const { imageName, backendVersion: asked } = deployment;
  if (imageName === undefined) {
    const kept = before?.backend === name ? before.backendVersion : undefined;
    return findBackend(catalogue, { name, version: asked, before: kept, where });
  }
  const backend = lookUp(catalogue.backends, name);
  // A version that nobody knows is allowed, because the deployment says how to install it.
  const known = Object.keys(backend?.versions ?? {});
  const isUnknown = backend !== undefined && asked !== undefined && !known.some((each) => sameVersion(each, asked));
  if (isUnknown) {
    const version = exactly(asked, where);
    return { backend, version, entry: imageEntry(imageName), reason: "told by the deployment" };
  }
  const found = findBackend(catalogue, { name, version: asked, where });
  return { ...found, entry: { ...found.entry, ...imageEntry(imageName, found.entry), env: found.entry.env } };
}

function canServe({ catalogue, deployment, platform, where }: ReleaseProblem, name: string): boolean {
  if (lookUp(catalogue.backends, name) === undefined) return false;
  try {
    const { entry } = findBackend(catalogue, { name, version: deployment.backendVersion, where });
    return acceleratorsOf(entry).includes(platform.acceleratorType);
  } catch {
    return false;
  }
}

function acceleratorsOf({ install }: BackendVersionEntry): readonly string[] {
  const { binary = [], pipx, image, manual } = install;
  return [...binary, pipx, image, manual].flatMap((way) => way?.acceleratorTypes ?? []);
}

/** `backend: custom`: an image and its command need no file. */
function customBackend({ deployment, where }: ReleaseProblem): ResolvedBackend {
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
  const entry = imageEntry(imageName);
  const backend = backendFile.parse({ schemaVersion: 1, name: custom, runCommand, versions: { [version]: entry } });
  return { backend, version, entry, reason: "told by the deployment" };
}

/** The image of a deployment counts for it alone, and instead of every other way to install. */
function imageEntry(imageName: string, known?: BackendVersionEntry): Pick<BackendVersionEntry, "install" | "env"> {
  const [reference, digest] = imageName.split("@");
  const { digest: _, ...rest } = known?.install.image ?? { platforms: ["linux/amd64", "linux/arm64"] };
  const image = { ...rest, reference, ...(digest === undefined ? {} : { digest }) };
  return backendVersion.parse({ install: { image } });
}

function exactly(version: string, where: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/.test(version)) return version;
  throw new BerthError("stack-inconsistent", {
    where,
    what: "a version that no file knows has to be named exactly",
    got: version,
    expected: "1 to 64 characters of letters, digits and . _ + -",
  });
}
