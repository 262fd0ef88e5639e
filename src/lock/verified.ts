import type { DesiredVerification } from "../planner/desired-commands.js";
import { verificationText } from "../resources/desired-inputs.js";
import type { VerifyResult } from "../schema/evidence.js";
import type { RecordedResource, RecordedState } from "./applied.js";

/** A command that Pulumi's state has as done. */
export interface RecordedCommand {
  readonly name: string;
  /** What was run. */
  readonly text: unknown;
  /** What it ran for: the generation of an instance. */
  readonly triggers: unknown;
}

/**
 * Whether `verify` commands have passed for what runs now. Pulumi has a command in its state once it has passed, with
 * the instance's generation that it ran for; one that failed for a later generation is there as it was before. Pure.
 */
export function findVerified(
  verifications: readonly DesiredVerification[],
  commands: readonly RecordedCommand[],
  state: Pick<RecordedState, "resources"> | undefined,
): VerifyResult[] {
  return verifications.map((desired) => {
    const { name, instance } = desired;
    const isRunning = ({ kind, outputs, leaving }: RecordedResource) =>
      kind === "Instance" && outputs.name === instance && leaving !== true;
    const generation = state?.resources.find(isRunning)?.outputs.generation;
    const passed = commands.some(
      (ran) =>
        ran.name === name &&
        ran.text === verificationText(desired) &&
        typeof generation === "string" &&
        generation !== "" &&
        Array.isArray(ran.triggers) &&
        ran.triggers.length === 1 &&
        ran.triggers[0] === generation,
    );
    return { command: name, passed };
  });
}
