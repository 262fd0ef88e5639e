/** What to do about runner images that are outdated. Pure. */
import { lookUp } from "../lib/record.js";
import { withoutV } from "../schema/version-constraint.js";
import type { RunnerFinding, RunnerReport, RunnerUser } from "./outdated-runners.js";
import type { Project } from "./project.js";

/** The stack whose lock has them; without a project where it has no file any more. */
export interface AdvisedStack {
  readonly name: string;
  readonly project: Pick<Project, "catalogue" | "environment"> | undefined;
}

type NewerRunner = RunnerFinding & { readonly kind: "newer" };

/** What to do about an image of a lock, in the order in which it is done. */
export function adviseUpgrade({ findings, users }: RunnerReport, { name: stack, project }: AdvisedStack): string[] {
  if (findings.length === 0) return [];
  const predecessor = project?.environment?.predecessor;
  if (predecessor !== undefined)
    return [`bring it up to date in ${predecessor}, and \`berth promote ${predecessor} ${stack}\``];
  const names = users.filter(({ part }) => part === "deployment").map(({ name }) => name);
  const anew = names.length === users.length ? `--update ${names.join(" ")}` : "--upgrade";
  const changes = findings.map((each) => (each.kind === "newer" ? changesFor(each, project) : []));
  const relocks = changes.some((each) => each.length === 0) ? [`\`berth lock ${stack} ${anew}\``] : [];
  return [...relocks, ...new Set(changes.flat())];
}

/** What to do about an image of the catalogue. */
export function adviseCatalogue({ findings }: RunnerReport): string[] {
  return findings.flatMap((each) =>
    each.kind === "moved" ? [`write ${each.digest} into its file, once it is known what has changed`] : [],
  );
}

export function nameOf({ part, name }: Pick<RunnerUser, "part" | "name">): string {
  return part === "deployment" ? name : `preload ${name}`;
}

/** What a stack has to say for it; nothing where a lock would take it unasked. */
function changesFor(newer: NewerRunner, project: AdvisedStack["project"]): string[] {
  const { backend, serviceVersion, acceleratorVersion, isSameService, isOutsideAsked } = newer;
  const fields = [
    ...(isSameService ? [] : [`\`backendVersion: "${serviceVersion}"\``]),
    ...(isOutsideAsked ? [`\`runnerImage: { acceleratorVersion: "${acceleratorVersion}" }\``] : []),
  ];
  if (fields.length === 0) return [];
  const set = `set ${fields.join(" and ")} of ${nameOf(newer)}`;
  const isKnown = isSameService || knowsVersion(newer, project);
  return [isKnown ? set : `add ${backend} ${serviceVersion} to backends/${backend}.yaml, and ${set}`];
}

function knowsVersion({ backend, service, serviceVersion }: NewerRunner, project: AdvisedStack["project"]): boolean {
  const { versions = {} } = lookUp(project?.catalogue.backends ?? {}, backend) ?? {};
  return Object.entries(versions).some(
    ([
      name,
      {
        install: { runnerImage },
      },
    ]) => {
      return runnerImage?.service === service && (runnerImage.serviceVersion ?? withoutV(name)) === serviceVersion;
    },
  );
}
