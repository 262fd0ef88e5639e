import type * as commandPackage from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

import type { DesiredSetup, DesiredVerification } from "../planner/desired-commands.js";
import { verificationText } from "../resources/desired-inputs.js";
import { interpreter, onlyIfNew, requestVariable, type CommandRequest } from "./host-command.js";
import type { Instance } from "./resources.js";

export type SecretEnv = Readonly<Record<string, pulumi.Input<string>>>;

/** The variable by which a `verify` command gets the key that clients send. */
const apiKeyVariable = "BERTH_API_KEY";

/** Names of the secrets that a command gets, by variable. */
export function setupSecrets({ placed }: DesiredSetup): Record<string, string> {
  return placed.secretEnv ?? {};
}

export function verificationSecrets({ placed, apiKey }: DesiredVerification): Record<string, string> {
  return { ...(apiKey === undefined ? {} : { [apiKeyVariable]: apiKey }), ...placed.secretEnv };
}

export interface CommandSurroundings {
  /** Loaded where a stack declares commands, and nowhere else. */
  readonly module: typeof commandPackage;
  /** The plugin's version; undefined for the package's own. */
  readonly version: string | undefined;
  readonly parent: pulumi.Resource;
}

/** A command that prepares a host. It runs again when its text or who runs it is another, and never for anything else. */
export function createSetup(
  { name, host, placed }: DesiredSetup,
  secrets: SecretEnv,
  { module, version, parent, dependsOn }: CommandSurroundings & { readonly dependsOn: pulumi.Resource[] },
): pulumi.Resource {
  const { create, delete: undo, timeoutSeconds } = placed;
  return new module.local.Command(
    name,
    {
      create,
      // Without it, a change of the host's address would run the command again too.
      update: onlyIfNew + create,
      ...(undo === undefined ? {} : { delete: undo }),
      ...common({ host, timeoutSeconds, secrets: Object.keys(secrets).sort() }, secrets),
    },
    { parent, dependsOn, ...options(version) },
  );
}

/** A command that checks an instance, each time that another generation of it serves. */
export function createVerification(
  desired: DesiredVerification,
  instance: Instance,
  secrets: SecretEnv,
  { module, version, parent }: CommandSurroundings,
): pulumi.Resource {
  const { name, host, placed } = desired;
  const { timeoutSeconds } = placed;
  return new module.local.Command(
    name,
    {
      create: verificationText(desired),
      triggers: [instance.generation],
      ...common({ host, timeoutSeconds, secrets: Object.keys(secrets).sort() }, secrets),
    },
    { parent, dependsOn: instance, ...options(version) },
  );
}

function common(request: CommandRequest, secrets: SecretEnv) {
  const values = Object.entries(secrets).map(([variable, value]) => [variable, pulumi.secret(value)] as const);
  return {
    interpreter: [...interpreter],
    environment: { ...Object.fromEntries(values), [requestVariable]: JSON.stringify(request) },
    // Standard output is the record that the command ran; what the command says comes on standard error. Both are kept
    // in the state, logged or not.
    logging: "stderr" as const,
  };
}

function options(version: string | undefined): pulumi.CustomResourceOptions {
  return { additionalSecretOutputs: ["stdout", "stderr"], ...(version === undefined ? {} : { version }) };
}
