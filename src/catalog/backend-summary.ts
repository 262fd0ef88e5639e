import { BerthError } from "../lib/errors.js";
import { createRedact } from "../lib/redact.js";
import type { BackendFile, BackendVersionEntry, HealthRequest } from "../schema/backend.js";
import { runnerRepository } from "../schema/runner.js";
import { withoutV } from "../schema/version-constraint.js";
import { isSecretVariable } from "./backend-secrets.js";
import {
  chooseImage,
  placeholderValues,
  resolveRunnerCommand,
  type RunnerCommand,
  type RunnerForm,
  type Satisfies,
} from "./runner-command.js";
import { maskWords } from "./secret-words.js";

/** One way to install a version, or one of its files for a platform. */
export interface InstallSummary {
  readonly method: "binary" | "pipx" | "image" | "manual";
  readonly os: readonly string[];
  readonly arch: readonly string[];
  /** Undefined is any, and none those of the runner images that there are. */
  readonly acceleratorTypes: readonly string[] | undefined;
  /** What is installed, for people. */
  readonly artifact: string;
  /** The digest, hash or file that pins it; undefined while the lock must find it. */
  readonly pin: string | undefined;
}

/** What an example deployment of a version would run. Secrets are masked. */
export type ExampleCommand = { readonly form: RunnerForm["kind"] } & (
  { readonly command: RunnerCommand } | { readonly problem: string }
);

export interface VersionSummary {
  readonly version: string;
  readonly installs: readonly InstallSummary[];
  /** Backend < version; secrets are masked. */
  readonly env: Readonly<Record<string, string>>;
  readonly healthPath: string;
  readonly healthRequest: HealthRequest | undefined;
  readonly commands: readonly ExampleCommand[];
}

/** Whether the lock has to find what pins a version. What an administrator puts on a host is nobody's to pin. */
export function isUnpinned(entry: Pick<BackendVersionEntry, "install">): boolean {
  return summarizeInstalls("", "", entry).some(({ method, pin }) => method !== "manual" && pin === undefined);
}

/** A version as `berth backend show` tells it. */
export function summarizeVersion(
  backend: BackendFile,
  version: string,
  entry: BackendVersionEntry,
  satisfies: Satisfies,
): VersionSummary {
  return {
    version,
    installs: summarizeInstalls(backend.name, version, entry),
    env: maskEnvironment({ ...backend.env, ...entry.env }),
    healthPath: entry.healthPath ?? backend.healthPath,
    healthRequest: entry.healthRequest ?? backend.healthRequest,
    commands: exampleForms(backend.name, version, entry).map((form) => {
      const choice = { backend, version, entry, deployment: {}, form, satisfies };
      try {
        const command = resolveRunnerCommand(choice, exampleValues(form), exampleParameters(backend));
        return { form: form.kind, command: maskCommand(command) };
      } catch (error) {
        if (error instanceof BerthError) return { form: form.kind, problem: error.parts.what };
        throw error;
      }
    }),
  };
}

function maskEnvironment(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [name, isSecretVariable(name, value) ? "[secret]" : value]),
  );
}

/** A secret variable's value may stand in any word, by a placeholder. */
function maskCommand({ entrypoint, argv, env }: RunnerCommand): RunnerCommand {
  const secrets = Object.entries(env).flatMap(([name, value]) => (isSecretVariable(name, value) ? [value] : []));
  const redact = createRedact(secrets);
  const mask = (words: readonly string[]) => maskWords(words).map(redact);
  return {
    entrypoint: entrypoint === undefined ? undefined : mask(entrypoint),
    argv: mask(argv),
    env: maskEnvironment(env),
  };
}

/** The forms in which an example deployment of a version could run. */
export function exampleForms(name: string, version: string, entry: Pick<BackendVersionEntry, "install">): RunnerForm[] {
  const { binary, pipx, manual } = entry.install;
  const image = chooseImage(undefined, entry, entry.install.runnerImage === undefined ? undefined : runnerRepository);
  const isProcess = [binary, pipx, manual].some((install) => install !== undefined);
  return [
    ...(isProcess ? [{ kind: "process" as const, executable: `${name}_${version}` }] : []),
    ...(image === undefined ? [] : [{ kind: "container" as const, image }]),
  ];
}

/** A model at /models/example that is served as `example` on port 8000, by one device. */
export function exampleValues(form: RunnerForm) {
  return placeholderValues({
    modelPath: "/models/example",
    modelName: "example",
    bindAddress: "127.0.0.1",
    port: 8000,
    containerPort: form.kind === "container" ? 8000 : undefined,
    devices: ["0"],
  });
}

function exampleParameters({ contextLengthFlag, defaultParameters }: BackendFile): string[] {
  return [...(contextLengthFlag === undefined ? [] : [contextLengthFlag, "8192"]), ...defaultParameters];
}

function summarizeInstalls(
  name: string,
  version: string,
  { install: { binary = [], pipx, image, runnerImage, manual } }: Pick<BackendVersionEntry, "install">,
): InstallSummary[] {
  const installs: InstallSummary[] = binary.map(({ os, arch, acceleratorTypes = ["cpu"], url, sha256 }) => {
    return { method: "binary", os: [os], arch: [arch], acceleratorTypes, artifact: url, pin: sha256 };
  });
  if (pipx !== undefined) {
    const { os, arch, acceleratorTypes = ["cpu"], requirements } = pipx;
    const artifact = `${pipx.package}==${pipx.packageVersion ?? version.replace(/^v(?=\d)/, "")}`;
    installs.push({ method: "pipx", os, arch, acceleratorTypes, artifact, pin: requirements });
  }
  if (image !== undefined) {
    const arch = image.platforms.map((platform) => (platform === "linux/arm64" ? "arm64" : "x64"));
    const { reference: artifact, digest: pin, acceleratorTypes } = image;
    installs.push({ method: "image", os: ["linux"], arch, acceleratorTypes, artifact, pin });
  }
  if (runnerImage !== undefined) {
    const { service, serviceVersion = withoutV(version) } = runnerImage;
    const artifact = `a runner image of ${service} ${serviceVersion}, as the hosts need`;
    installs.push({ method: "image", os: ["linux"], arch: [], acceleratorTypes: [], artifact, pin: undefined });
  }
  if (manual !== undefined) {
    const { acceleratorTypes, sha256: pin } = manual;
    installs.push({ method: "manual", os: [], arch: [], acceleratorTypes, artifact: `${name}_${version}`, pin });
  }
  return installs;
}
