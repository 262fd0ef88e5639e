/** Which runner image a deployment has: one for all of its hosts that can run it. Pure. */
import type { RunnerCatalogue } from "../catalog/runner-catalogue.js";
import { chooseRunner, type RunnerChoice } from "../catalog/runner-choice.js";
import type { FindRunnerImage, RunnerImageAnswer, RunnerImageRequest } from "../catalog/runner-install.js";
import { lockRunnerImage } from "../catalog/runner-lock.js";
import { lookUp } from "../lib/record.js";
import { findUngivable } from "../planner/container-devices.js";
import { knownHost, type KnownHost } from "../planner/host-choice.js";
import type { LockedEngine } from "../schema/lock.js";
import type { RunnerImageChoice } from "../schema/runner-image.js";
import { parseConstraint } from "../schema/version-constraint.js";
import { platformOf } from "./platform.js";

export interface RunnerImageProblem {
  readonly runners: RunnerCatalogue | undefined;
  readonly hosts: Readonly<Record<string, KnownHost>>;
  /** The hosts that come into question. */
  readonly fitting: readonly string[];
  /** What the deployment asks of it. */
  readonly asked: RunnerImageChoice | undefined;
  /** What was locked before, and the hosts that had it; an image stays while they can run it. */
  readonly before: { readonly engine: LockedEngine | undefined; readonly hosts: readonly string[] };
  /** What names the deployment, for errors. */
  readonly where: string;
}

/** How each of the hosts is given a runner image: the same one, or the reason why it cannot run that. */
export function findRunnerImages(problem: RunnerImageProblem): (host: string) => FindRunnerImage {
  const choices = new Map<string, RunnerChoice>();
  return (host) => (request) => {
    const { runners } = problem;
    if (runners === undefined) return { kind: "refused", reason: "there is no catalogue of runner images" };
    const ungivable = findUngivable(knownHost(problem.hosts, host).facts);
    if (ungivable !== undefined) return { kind: "refused", reason: ungivable };
    const key = JSON.stringify(request);
    const choice = choices.get(key) ?? chooseFor(problem, runners, request);
    choices.set(key, choice);
    return answerFor(host, choice, runners, problem.asked);
  };
}

function chooseFor(
  { hosts, fitting, asked, before, where }: RunnerImageProblem,
  runners: RunnerCatalogue,
  { service, serviceVersion, isNamed, acceleratorType }: RunnerImageRequest,
): RunnerChoice {
  const own = fitting.filter(
    (name) =>
      platformOf(hosts[name]).acceleratorType === acceleratorType &&
      findUngivable(knownHost(hosts, name).facts) === undefined,
  );
  const { acceleratorVersion, variant, allowRc } = asked ?? {};
  return chooseRunner(runners, Object.fromEntries(own.map((name) => [name, knownHost(hosts, name).facts])), {
    ...{ service, acceleratorType, variant, allowRc },
    // By order and not by name, it takes nothing that is deprecated.
    serviceVersion: parseConstraint(isNamed ? serviceVersion : `==${serviceVersion}`, where),
    acceleratorVersion: acceleratorVersion === undefined ? undefined : parseConstraint(acceleratorVersion, where),
    before: imageBefore(runners, before, own),
  });
}

/** By its name, which locks of earlier versions have too. */
function imageBefore(
  { images }: RunnerCatalogue,
  { engine, hosts }: RunnerImageProblem["before"],
  own: readonly string[],
) {
  if (engine?.install.method !== "image") return undefined;
  const { reference } = engine.install;
  const image = images.find(({ repository, tag }) => `${repository}:${tag}` === reference);
  if (image === undefined) return undefined;
  const stayed = own.filter((host) => hosts.includes(host));
  return { tag: image.tag, hosts: stayed.length === 0 ? own : stayed };
}

function answerFor(
  host: string,
  choice: RunnerChoice,
  { files }: RunnerCatalogue,
  asked: RunnerImageChoice | undefined,
): RunnerImageAnswer {
  if (choice.kind === "refused")
    return { kind: "refused", reason: lookUp(choice.hosts, host) ?? "no host of its kind can run one" };
  const { image, reason, others } = choice;
  const on = lookUp(choice.hosts, host);
  const file = files[image.acceleratorType];
  if (on === undefined || file === undefined) throw new Error(`a runner image was not chosen for host ${host}`);
  if (on.kind === "cannot")
    return {
      kind: "refused",
      reason: `runner image ${image.tag}, which the others have, cannot run there: ${on.reason}`,
    };
  const { socs, ...locked } = lockRunnerImage(image, file);
  // Who names the variant knows better than the SoC.
  const narrowed = asked?.variant === undefined && socs !== undefined ? { ...locked, socs } : locked;
  const chosen = { tag: image.tag, reference: `${image.repository}:${image.tag}`, digest: image.digest };
  return {
    kind: "chosen",
    image: { ...chosen, locked: narrowed, reason, isAbove: on.isAbove, notes: on.notes, others },
  };
}
