import { parse } from "yaml";

import { githubWorkflows } from "../../src/cli/ci-init.js";
import type { CiStack } from "../../src/cli/github/steps.js";

/** A step, as far as tests read it. */
export interface Step {
  readonly id?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Job {
  readonly needs?: string;
  readonly environment?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly concurrency?: { readonly group: string };
  readonly permissions?: Readonly<Record<string, string>>;
  readonly steps: readonly Step[];
}

export interface Workflow {
  readonly permissions: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
}

export function ciStack(name: string): CiStack {
  const lock = `stacks/${name}.lock.yaml`;
  return { name, lock, files: [`stacks/${name}.yaml`, lock, `Pulumi.${name}.yaml`] };
}

/** The workflows of three stacks, by the names of their files. */
export const workflowTexts = Object.entries(githubWorkflows(["dev", "staging", "prod"].map(ciStack))).map(
  ([path, text]) => [path.replace(".github/workflows/", ""), text] as const,
);

export const workflows = new Map(workflowTexts.map(([file, text]) => [file, parse(text) as Workflow]));

export interface FoundStep {
  readonly file: string;
  readonly job: string;
  readonly step: Step;
}

export const steps: readonly FoundStep[] = [...workflows].flatMap(([file, { jobs }]) =>
  Object.entries(jobs).flatMap(([job, { steps: own }]) => own.map((step) => ({ file, job, step }))),
);
