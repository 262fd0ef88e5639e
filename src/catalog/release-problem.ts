import type { LockedDeployment } from "../schema/lock.js";
import type { LockedModel } from "../schema/model.js";
import type { DeploymentEntry } from "../schema/stack.js";
import type { Catalogue } from "./catalogue.js";
import type { FindRunnerImage } from "./runner-install.js";
import type { Platform } from "./selection.js";

/** What of a deployment does not depend on its environment. */
export type DeployedEngine = Pick<
  DeploymentEntry,
  | "backend"
  | "backendVersion"
  | "prefer"
  | "install"
  | "imageName"
  | "runnerImage"
  | "entrypoint"
  | "runCommand"
  | "category"
  | "architecture"
  | "contextLength"
  | "parameters"
  | "extraParameters"
  | "env"
  | "container"
>;

/** What decides a backend version and its artifact. */
export interface EngineProblem {
  readonly catalogue: Catalogue;
  readonly deployment: DeployedEngine;
  /** What `backend: auto` chooses by. */
  readonly model?: LockedModel | undefined;
  /** Of the host that it is for. */
  readonly platform: Platform;
  /** What was decided before, of the same deployment. */
  readonly before?: Pick<LockedDeployment, "backend" | "backendVersion"> | undefined;
  /** Chooses runner images for the host; without it none is taken. */
  readonly findRunnerImage?: FindRunnerImage | undefined;
  /** What names the deployment, for errors. */
  readonly where: string;
}

export interface ReleaseProblem extends EngineProblem {
  readonly model: LockedModel;
}
