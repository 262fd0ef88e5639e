import { lastLines } from "../../lib/format.js";
import type { Accelerator } from "../../schema/facts.js";
import type { Host } from "../host.js";
import { nothingFound, type Answers, type Detector, type Question, type Sighting } from "./detector.js";
import { detectors as allDetectors } from "./detectors.js";

/** A driver that hangs does so for good; healthy tools take some seconds on hosts with many devices. */
export const toolSeconds = 15;
const usualRounds = 4;
const longestReason = 200;

type Commands = Pick<Host, "run">;

export interface SearchOptions {
  readonly ramBytes: number;
  readonly signal?: AbortSignal | undefined;
  readonly detectors?: readonly Detector[];
  readonly timeoutSeconds?: number;
  /** How often a detector may ask something new. */
  readonly mostRounds?: number;
}

/** Commands that are asked first. */
export const acceleratorCommands: readonly string[] = allDetectors.flatMap((detector) =>
  Object.values(detector.ask({})).map(({ argv }) => argv[0]),
);

/**
 * Finds the accelerators of a host. Vendors are asked at once, and the tool of one that hangs is not asked again, so
 * that all together take about as long as the slowest. A tool that fails or is not understood is a warning.
 */
export async function findAccelerators(host: Commands, options: SearchOptions): Promise<Sighting> {
  const { detectors = allDetectors } = options;
  const sightings = await Promise.all(detectors.map((detector) => askVendor(host, detector, options)));
  return countOnce({
    accelerators: sightings.flatMap(({ accelerators }) => accelerators),
    usage: sightings.flatMap(({ usage }) => usage),
    warnings: sightings.flatMap(({ warnings }) => warnings),
  });
}

/** Placements name accelerators by their identity, so that one that is there twice would be given out twice. */
function countOnce({ accelerators, usage, warnings }: Sighting): Sighting {
  const firstOf = ({ uuid }: { readonly uuid: string }) => accelerators.find((one) => one.uuid === uuid);
  const isFirst = <Told extends { readonly uuid: string }>({ uuid }: Told, place: number, all: readonly Told[]) =>
    all.findIndex((one) => one.uuid === uuid) === place;
  const repeated = accelerators.filter((...one) => !isFirst(...one));
  if (repeated.length === 0) return { accelerators, usage, warnings };
  const told = repeated.map((one) => describeRepeated(one, firstOf(one)?.type ?? one.type));
  return { accelerators: accelerators.filter(isFirst), usage: usage.filter(isFirst), warnings: [...warnings, ...told] };
}

function describeRepeated({ name, uuid, type }: Accelerator, counted: Accelerator["type"]): string {
  if (type === counted) return `${name} ${uuid} is told twice: it counts once`;
  return `${name} ${uuid} is told twice, as ${counted} and as ${type}: it counts once, as ${counted}`;
}

async function askVendor(host: Commands, detector: Detector, options: SearchOptions): Promise<Sighting> {
  const { mostRounds = usualRounds } = options;
  const answers: Record<string, string> = {};
  const warnings: string[] = [];
  const asked = new Set<string>();
  for (let round = 0; round < mostRounds; round += 1) {
    const news = Object.entries(detector.ask(answers)).filter(([name]) => !asked.has(name));
    if (news.length === 0) break;
    const outcomes = await Promise.all(
      news.map(async ([name, question]) => ({ name, outcome: await askTool(host, question, options) })),
    );
    for (const { name, outcome } of outcomes) {
      asked.add(name);
      if (outcome.text !== undefined) answers[name] = outcome.text;
      if (outcome.problem !== undefined) warnings.push(outcome.problem);
    }
    if (outcomes.some(({ outcome }) => outcome.hung === true)) break;
  }
  const found = isEmpty(answers) ? nothingFound : detector.read(answers, { ramBytes: options.ramBytes });
  return { ...found, warnings: [...warnings, ...found.warnings] };
}

interface Outcome {
  readonly text?: string;
  readonly problem?: string;
  readonly hung?: boolean;
}

async function askTool(host: Commands, { argv, optional }: Question, options: SearchOptions): Promise<Outcome> {
  const { timeoutSeconds = toolSeconds, signal } = options;
  const command = argv.join(" ");
  const result = await host.run(argv, { timeoutSeconds, ...(signal === undefined ? {} : { signal }) });
  switch (result.exitCode) {
    case 0:
      return { text: result.stdout };
    case 127:
      return {};
    case 124:
      return {
        hung: true,
        problem: `\`${command}\` did not answer within ${timeoutSeconds} s: what it would tell is unknown`,
      };
    default: {
      if (optional === true) return {};
      const reason = lastLines(`${result.stdout}\n${result.stderr}`.trim(), 1).trim().slice(0, longestReason);
      return { problem: `\`${command}\` failed with exit code ${result.exitCode}: ${reason}` };
    }
  }
}

function isEmpty(answers: Answers): boolean {
  return Object.keys(answers).length === 0;
}
