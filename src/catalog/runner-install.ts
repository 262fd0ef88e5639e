/** Runner images as a way to install a backend version. Pure. */
import type { Accelerator } from "../schema/facts.js";
import type { LockedRunnerImage, RunnerImageInstall } from "../schema/runner-image.js";
import { sameVersion, withoutV } from "../schema/version-constraint.js";
import type { PassedOver } from "./runner-resolution.js";

/** A runner image that is chosen, before its digest is looked up. */
export interface ChosenRunnerImage {
  readonly tag: string;
  /** `gpustack/runner:cuda12.8-vllm0.10.2` */
  readonly reference: string;
  /** As the catalogue has it. */
  readonly digest: string | undefined;
  readonly locked: LockedRunnerImage;
  /** Why it, in one sentence. */
  readonly reason: string;
  /** Whether its runtime is above the host's. */
  readonly isAbove: boolean;
  /** What whoever takes it should know. */
  readonly notes: readonly string[];
  readonly others: readonly PassedOver[];
}

/** What a backend version asks of the catalogue of runner images. */
export interface RunnerImageRequest {
  readonly service: string;
  readonly serviceVersion: string;
  /** Whether somebody has named the version: deprecated images are taken then. */
  readonly isNamed: boolean;
  /** Of the placement. */
  readonly acceleratorType: Accelerator["type"];
}

export type RunnerImageAnswer =
  | { readonly kind: "chosen"; readonly image: ChosenRunnerImage }
  | { readonly kind: "refused"; readonly reason: string };

/** Finds the runner image for a host, which is the same for all hosts of a deployment that can run it. */
export type FindRunnerImage = (request: RunnerImageRequest) => RunnerImageAnswer;

/** What a version asks; the backend's version is that of the service unless its file says another. */
export function requestRunnerImage(
  { service, serviceVersion }: RunnerImageInstall,
  version: string,
  { asked, acceleratorType }: { readonly asked: string | undefined; readonly acceleratorType: Accelerator["type"] },
): RunnerImageRequest {
  const isNamed = asked !== undefined && sameVersion(asked, version);
  return { service, serviceVersion: serviceVersion ?? withoutV(version), isNamed, acceleratorType };
}
