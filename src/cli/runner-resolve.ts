import {
  resolveRunner,
  type PassedOver,
  type RunnerPolicy,
  type RunnerResolution,
} from "../catalog/runner-resolution.js";
import { BerthError } from "../lib/errors.js";
import { readProject } from "../lock/project.js";
import { readRunners } from "../lock/runner-files.js";
import { chooseHosts, lookAtHosts } from "./facts.js";
import { assertKnown, assertPlace, constraintOf, imageName, type ImagePlace } from "./runner-list.js";
import { plainTable } from "./table.js";
import { chooseStack, packageRoot, stackFileOf, type Workplace } from "./workplace.js";

/** Options as commander gives them. */
export interface RunnerResolveOptions extends ImagePlace {
  stack?: string;
  host: string;
  service: string;
  serviceVersion?: string;
  accelerator?: string;
  acceleratorVersion?: string;
  variant?: string;
  policy: RunnerPolicy;
  allowRc?: boolean;
  json?: boolean;
}

/** Tells which runner image a host is to run for a service, and why; exit code 1 when there is none. */
export async function resolveForHost(workplace: Workplace, options: RunnerResolveOptions): Promise<number> {
  const { root } = workplace;
  const catalogue = readRunners(root, packageRoot);
  assertKnown(catalogue, options);
  assertPlace(catalogue, options);
  const stack = await chooseStack(workplace, options.stack);
  const project = readProject(root, stackFileOf(root, stack), packageRoot, { stackName: stack });
  const report = (await lookAtHosts(workplace, chooseHosts(project.stack, [options.host])))[options.host];
  if (report?.reachable !== true) {
    throw new BerthError("host-unreachable", { what: "the host cannot be looked at", where: options.host });
  }
  const { service, variant, allowRc, policy, accelerator: acceleratorType } = options;
  const resolution = resolveRunner(catalogue, report.facts, {
    ...{ service, variant, allowRc, policy, acceleratorType },
    serviceVersion: constraintOf(options.serviceVersion, "--service-version"),
    acceleratorVersion: constraintOf(options.acceleratorVersion, "--accelerator-version"),
  });
  workplace.print(
    options.json === true ? JSON.stringify(resolution, undefined, 2) : formatResolution(resolution, options),
  );
  return resolution.kind === "resolved" ? 0 : 1;
}

export function formatResolution(resolution: RunnerResolution, place: ImagePlace): string {
  const others = formatOthers(resolution.others);
  if (resolution.kind === "refused") {
    const needed = resolution.needed === undefined ? [] : [`needed: ${resolution.needed}`];
    return [`none: ${resolution.reason}`, ...needed, ...others].join("\n");
  }
  const notes = resolution.notes.map((note) => `note: ${note}`);
  return [imageName(resolution.image, place), `why: ${resolution.reason}`, ...notes, ...others].join("\n");
}

function formatOthers(others: readonly PassedOver[]): string[] {
  if (others.length === 0) return [];
  return [
    "",
    plainTable(
      ["NOT TAKEN", "WHY"],
      others.map(({ image, reason }) => [image.tag, reason]),
    ),
  ];
}
