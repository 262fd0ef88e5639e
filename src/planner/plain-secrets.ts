import { sorted } from "../lib/record.js";
import { isSecretVariable } from "../catalog/backend-secrets.js";
import { holdsSecret, stripCommand } from "../catalog/secret-words.js";
import { placeSetup, placeVerify } from "../schema/commands.js";
import type { HostEntry } from "../schema/hosts.js";
import type { DeploymentEntry, StackFile } from "../schema/stack.js";

/**
 * Where commands and drivers' options likely hold a secret in plain text: they stand in the stack file, the lock and
 * Pulumi's state. One line each, never with the value. Pure.
 */
export function findPlainSecrets({ hosts, deployments }: Pick<StackFile, "hosts" | "deployments">): string[] {
  return [
    ...sorted(hosts).flatMap(([name, host]) =>
      [...inSetup(host), ...inOptions(host)].map((at) => `host ${name}: ${at}`),
    ),
    ...sorted(deployments).flatMap(([name, deployment]) =>
      inVerify(deployment).map((at) => `deployment ${name}: ${at}`),
    ),
  ];
}

function inSetup({ setup = {} }: HostEntry): string[] {
  return sorted(placeSetup(setup)).flatMap(([name, { create, delete: undo = "" }]) =>
    inCommand(`setup ${name}`, `${create}\n${undo}`),
  );
}

function inVerify({ verify = {} }: DeploymentEntry): string[] {
  return sorted(placeVerify(verify)).flatMap(([name, { command }]) => inCommand(`verify ${name}`, command));
}

function inCommand(where: string, command: string): string[] {
  const text = withoutExpansions(command);
  const { names } = stripCommand(text);
  if (names.length === 0 && !holdsSecret(text)) return [];
  const what = names.length === 0 ? "an argument" : names.join(", ");
  return [`${where}: ${what}: likely a secret in plain text; give it as secretEnv`];
}

function inOptions({ networks = {}, volumes = {} }: HostEntry): string[] {
  const inKind = (kind: string, entries: NonNullable<HostEntry["networks"] | HostEntry["volumes"]>) =>
    sorted(entries).flatMap(([name, { options = {} }]) =>
      sorted(options)
        .filter(([option, value]) => isSecretVariable(option, value))
        .map(
          ([option]) =>
            `${kind} ${name}: option ${option}: likely a secret in plain text; make it by a setup command, with secretEnv`,
        ),
    );
  return [...inKind("network", networks), ...inKind("volume", volumes)];
}

/** What the shell and `printf` fill in is no secret: `Bearer $TOKEN`. */
function withoutExpansions(command: string): string {
  return command
    .replaceAll(/(?:\$\w+|\$\{[^}]*\}|\$\([^()]*\)|`[^`]*`|%[sb])[\w./-]*/g, "{{filled}}")
    .replaceAll(/[;&|()]/g, " $& ")
    .replaceAll(/\b(?:Bearer|Basic)\s+\{\{/gi, "{{");
}
