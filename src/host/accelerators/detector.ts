import type { Accelerator, AcceleratorUsage, Vendor } from "../../schema/facts.js";

/** A command that a detector wants to be run. */
export interface Question {
  readonly argv: readonly [string, ...string[]];
  /** Set where older tools do not know the command, or it tells little: its failure is not worth a warning. */
  readonly optional?: true;
}

/** What commands wrote, by the names that the detector gave them. Only of those that succeeded. */
export type Answers = Readonly<Record<string, string>>;

/** What was found. All of it is empty where there is no such accelerator. */
export interface Sighting {
  readonly accelerators: readonly Accelerator[];
  readonly usage: readonly AcceleratorUsage[];
  /** What could not be found out, and why. */
  readonly warnings: readonly string[];
}

/** How the accelerators of one vendor are found. Pure: running the commands is left to `findAccelerators`. */
export interface Detector {
  readonly vendor: Vendor;
  /** Commands worth asking after these answers, those asked before too. It is asked again until it has no new one. */
  readonly ask: (answers: Answers) => Readonly<Record<string, Question>>;
  /** Reads the answers. It never throws, whatever the texts hold: what is not understood is a warning. */
  readonly read: (answers: Answers, host: { readonly ramBytes: number }) => Sighting;
}

export const nothingFound: Sighting = { accelerators: [], usage: [], warnings: [] };

/** The sighting of an answer in which nothing was recognised. */
export function notUnderstood(command: string): Sighting {
  return { ...nothingFound, warnings: [`\`${command}\` wrote nothing that Berth understands: accelerators unknown`] };
}

/** An accelerator and its use. */
export interface Finding {
  readonly accelerator: Accelerator;
  readonly usage: AcceleratorUsage;
}

/** The sighting of what was found one by one, with a warning for each thing that the tool left out. */
export function sight(findings: readonly Finding[], tool: string): Sighting {
  return {
    accelerators: findings.map(({ accelerator }) => accelerator),
    usage: findings.map(({ usage }) => usage),
    warnings: findings.flatMap(({ accelerator }) => gapsOf(accelerator, tool)),
  };
}

/** What is missing of an accelerator that others rely on. */
export function gapsOf({ name, uuid, memoryBytes, identifiedBy }: Accelerator, tool: string): string[] {
  return [
    ...(memoryBytes > 0 ? [] : [`${name} ${uuid}: \`${tool}\` does not tell its memory`]),
    ...(identifiedBy === "index"
      ? [`${name} ${uuid}: \`${tool}\` tells neither a UUID nor a bus id, so a reboot may give this name to another`]
      : []),
  ];
}
