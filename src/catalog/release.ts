import { digest } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import type { LockedDeployment, LockedModel } from "../schema/lock.js";
import type { DeploymentEntry } from "../schema/stack.js";
import { findBackend, type Catalogue } from "./catalogue.js";

/** What of a deployment does not depend on its environment. */
export type DeployedEngine = Pick<
  DeploymentEntry,
  "backend" | "backendVersion" | "contextLength" | "parameters" | "extraParameters" | "env"
>;

/**
 * What a deployment is, exactly: backend version, artifact, model and command. The same in every environment.
 *
 * @param where what names the deployment, for errors
 */
export function resolveDeployment(
  catalogue: Catalogue,
  deployment: DeployedEngine,
  model: LockedModel,
  where: string,
): LockedDeployment {
  const { backend, version, entry } = findBackend(catalogue, deployment.backend, deployment.backendVersion, where);
  const { pipx } = entry.install;
  const content = (file: string) => ({ file, sha256: fileDigest(catalogue, file, `backends/${backend.name}.yaml`) });
  const own = [...(deployment.parameters ?? backend.defaultParameters), ...deployment.extraParameters];
  refuseOwned(own, backend.ownedFlags, backend.contextLengthFlag, where);
  const context =
    backend.contextLengthFlag === undefined ? [] : [backend.contextLengthFlag, String(deployment.contextLength)];
  const resolved = {
    backend: backend.name,
    backendVersion: version,
    install: {
      method: "pipx" as const,
      package: pipx.package,
      requirements: content(pipx.requirements),
      ...(pipx.launcher === undefined ? {} : { launcher: content(pipx.launcher) }),
    },
    model,
    runCommand: entry.runCommand ?? backend.runCommand,
    parameters: [...context, ...own],
    env: { ...backend.env, ...entry.env, ...deployment.env },
    ...(backend.apiKeyVariable === undefined ? {} : { apiKeyVariable: backend.apiKeyVariable }),
    healthPath: backend.healthPath,
  };
  return { id: digest(resolved), ...resolved };
}

function fileDigest(catalogue: Catalogue, file: string, where: string): string {
  const found = lookUp(catalogue.files, file);
  if (found !== undefined) return found;
  throw new BerthError("file-not-found", {
    where,
    what: "the backend file names a file that is not there",
    got: `backends/${file}`,
  });
}

/** Flags that Berth sets itself are never given twice; the context length has a field of its own. */
function refuseOwned(
  parameters: readonly string[],
  owned: readonly string[],
  contextFlag: string | undefined,
  where: string,
): void {
  for (const parameter of parameters) {
    const given = (flag: string | undefined) => flag !== undefined && gives(parameter, flag);
    if (given(contextFlag)) {
      throw new BerthError("stack-inconsistent", {
        where,
        what: `the context length has a field of its own`,
        got: parameter,
        hint: "give it as `contextLength`, and remove the flag",
      });
    }
    if (owned.some(given)) {
      throw new BerthError("stack-inconsistent", {
        where,
        what: "Berth itself sets this flag",
        got: parameter,
        hint: "remove it from the parameters",
      });
    }
  }
}

/**
 * Whether a parameter is a flag, alone or joined to its value: `--port=1`, and `-p1` after a flag of one letter. Letters
 * alone after it are the name of another flag, as engines have them: `-mg`.
 */
function gives(parameter: string, flag: string): boolean {
  const [name = ""] = parameter.split("=", 1);
  const joined = /^-[A-Za-z]$/.test(flag) && name.startsWith(flag) && !/^-[A-Za-z-]+$/.test(name);
  return name === flag || joined;
}
