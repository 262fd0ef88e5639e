import { z } from "zod";

import { BerthError } from "../lib/errors.js";
import { lastLines } from "../lib/format.js";
import type { Updater } from "../lock/applied.js";
import type { RecordedCommand } from "../lock/verified.js";
import { findUpdater } from "./state-locks.js";
import type { Pulumi } from "./workplace.js";

const exported = z.object({
  deployment: z.object({
    resources: z
      .array(
        z.object({
          urn: z.string(),
          type: z.string(),
          outputs: z.record(z.string(), z.unknown()).optional(),
          delete: z.boolean().optional(),
          initErrors: z.array(z.string()).optional(),
        }),
      )
      .optional(),
    pending_operations: z.array(z.unknown()).optional(),
  }),
});

export interface StateResource {
  readonly urn: string;
  readonly kind: string;
  readonly outputs: Readonly<Record<string, unknown>>;
  /** Whether its last operation failed and left it in the state. */
  readonly failed?: boolean;
  /** Whether it was replaced and waits to be deleted. */
  readonly leaving?: boolean;
}

export interface StackState {
  readonly resources: readonly StateResource[];
  /** What plugins of Pulumi made for a stack: commands, networks, volumes and their providers. */
  readonly extras: readonly Pick<StateResource, "urn" | "kind">[];
  /** Commands that have passed: those that prepare hosts, and those that check instances. */
  readonly commands: readonly RecordedCommand[];
  /** Operations that have begun and not ended. */
  readonly pendingOperations: number;
  readonly updater: Updater;
}

const berthType = /^pulumi-nodejs:dynamic\/berth:(\w+)$/;
const commandType = "command:local:Command";
const extraType = /^(?:command:local:|docker:index\/\w+:|pulumi:providers:(?=docker))(\w+)$/;

/** What Pulumi's state has of Berth's resources, secrets in plain; undefined when there is no such stack. */
export async function readState(pulumi: Pulumi, stack: string): Promise<StackState | undefined> {
  const updaterBefore = await findUpdater(pulumi, stack);
  const { exitCode, stdout, stderr } = await pulumi.run(["stack", "export", "--show-secrets", "--stack", stack]);
  if (/no stack named/.test(stderr)) return undefined;
  if (exitCode !== 0) {
    throw new BerthError("pulumi-failed", { what: "the state cannot be read", detail: lastLines(stderr, 20) });
  }
  const { deployment } = exported.parse(JSON.parse(stdout));
  const resources = (deployment.resources ?? []).flatMap(({ urn, type, outputs, initErrors = [], delete: leaving }) => {
    const kind = berthType.exec(type)?.[1];
    const signs = { failed: initErrors.length > 0, leaving: leaving === true };
    return kind === undefined
      ? []
      : [{ urn, kind, outputs: plain(outputs ?? {}) as StateResource["outputs"], ...signs }];
  });
  const extras = (deployment.resources ?? []).flatMap(({ urn, type }) => {
    const kind = extraType.exec(type)?.[1];
    return kind === undefined ? [] : [{ urn, kind }];
  });
  const commands = (deployment.resources ?? []).flatMap(({ urn, type, outputs = {}, delete: leaving }) => {
    if (type !== commandType || leaving === true) return [];
    return [{ name: nameOf(urn), text: plain(outputs.create), triggers: plain(outputs.triggers) }];
  });
  const pendingOperations = deployment.pending_operations?.length ?? 0;
  // An update may have begun after the first look.
  const isTold = pendingOperations === 0 || updaterBefore.kind !== "none";
  const updater = isTold ? updaterBefore : await findUpdater(pulumi, stack);
  return { resources, extras, commands, pendingOperations, updater };
}

/** The last part of a URN is the resource's name. */
export function nameOf(urn: string): string {
  return urn.slice(urn.lastIndexOf("::") + 2);
}

const secretSignature = "4dabf18193072939515e22adb298388d";

/** Values without the wrapping that marks secrets in an exported state. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  const wrapped = value as Record<string, unknown>;
  if (wrapped[secretSignature] !== undefined && typeof wrapped.plaintext === "string")
    return plain(JSON.parse(wrapped.plaintext));
  return Object.fromEntries(Object.entries(wrapped).map(([key, inner]) => [key, plain(inner)]));
}
