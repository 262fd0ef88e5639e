/** The lock of what lies ready on hosts before a deployment wants it. */
import type { Catalogue } from "../catalog/catalogue.js";
import { draftEngine, type DraftEngine } from "../catalog/release.js";
import { digest } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import { choosePreloadHosts } from "../planner/preload.js";
import type { KnownHost } from "../planner/host-choice.js";
import type { LockedInstall, LockedPreload, LockFile, Promotable } from "../schema/lock.js";
import type { LockedModel } from "../schema/model.js";
import type { PreloadEntry } from "../schema/preload.js";
import type { StackFile } from "../schema/stack.js";
import { oneOfEachKind } from "./kind.js";
import type { LookUps } from "./look-ups.js";
import { lockModel, type ModelEdges } from "./model.js";
import type { Pinned, PinProblem } from "./pin-problem.js";
import { pinInstall } from "./pin.js";
import { platformOf } from "./platform.js";
import { knownEngine, knownModel } from "./previous.js";
import { findRunnerImages } from "./runner-image.js";

interface PreloadProblem {
  readonly stack: StackFile;
  readonly catalogue: Catalogue;
  readonly previous: LockFile | undefined;
  readonly upgradeModels?: boolean;
  readonly promoted?: Promotable | undefined;
}

export interface DraftPreload {
  readonly name: string;
  readonly hosts: readonly string[];
  readonly model: LockedModel | undefined;
  /** One for each kind of host, all of one backend version. */
  readonly engines: readonly DraftEngine[];
  /** As another environment has settled it. */
  readonly locked?: LockedPreload;
}

/** Chooses hosts, backend version and files of each entry; what of it is not pinned is left to {@link pinPreload}. */
export async function draftPreloads(
  problem: PreloadProblem,
  hosts: Readonly<Record<string, KnownHost>>,
  edges: ModelEdges,
): Promise<DraftPreload[]> {
  const drafts: DraftPreload[] = [];
  for (const [name, entry] of Object.entries(problem.stack.preload)) {
    const locked = lookUp(problem.promoted?.preload ?? {}, name);
    const { backend = "" } = entry;
    const selector = lookUp(problem.catalogue.backends, backend)?.hostSelector ?? {};
    const chosen = choosePreloadHosts({ stack: problem.stack, hosts, selector }, name, entry);
    if (locked !== undefined) {
      drafts.push({ name, hosts: chosen, model: locked.model, engines: [], locked });
      continue;
    }
    const model = entry.model === undefined ? undefined : await lockPreloadModel(problem, name, entry.model, edges);
    const engines =
      entry.backend === undefined ? [] : draftEngines(problem, { name, entry, backend, model, chosen }, hosts);
    drafts.push({ name, hosts: chosen, model, engines });
  }
  return drafts;
}

interface PreloadOnHosts {
  readonly name: string;
  readonly entry: PreloadEntry;
  readonly backend: string;
  readonly model: LockedModel | undefined;
  readonly chosen: readonly string[];
}

function draftEngines(
  { catalogue, previous, stack }: PreloadProblem,
  { name, entry, backend, model, chosen }: PreloadOnHosts,
  hosts: Readonly<Record<string, KnownHost>>,
): DraftEngine[] {
  const where = `preload ${name}`;
  const before = knownEngine(previous, stack, { part: "preload", name });
  const findRunnerImage = findRunnerImages({
    ...{ runners: catalogue.runners, hosts, fitting: chosen, asked: entry.runnerImage, where },
    before: { engine: before, hosts: chosen },
  });
  const deployment = deployedBy(entry, backend);
  return oneOfEachKind(chosen, hosts).map((host) => {
    const platform = platformOf(hosts[host]);
    return draftEngine({
      catalogue,
      deployment,
      model,
      platform,
      before,
      findRunnerImage: findRunnerImage(host),
      where,
    });
  });
}

/** Pins an entry's artifact. Files that are to be written come with it. */
export async function pinPreload(
  problem: PinProblem,
  { name, model, engines, locked }: DraftPreload,
  edges: LookUps,
): Promise<{ locked: LockedPreload; pinned: readonly Pinned[] }> {
  if (locked !== undefined) return { locked, pinned: [] };
  const pinned: Pinned[] = [];
  // Each is asked for, because a release may lack the file of one kind of host.
  for (const draft of engines) pinned.push(await pinInstall(problem, draft, edges));
  const [first] = engines;
  const [install] = pinned.map((each) => each.install);
  const isOne = engines.every(({ release }) => digest(release) === digest(first?.release ?? {}));
  if (!isOne || pinned.some((each) => digest(each.install) !== digest(install ?? {})))
    throw severalKinds(
      name,
      engines,
      pinned.map((each) => each.install),
    );
  const engine = first === undefined || install === undefined ? undefined : { ...first.release, install };
  return { locked: { ...(engine === undefined ? {} : { engine }), ...(model === undefined ? {} : { model }) }, pinned };
}

async function lockPreloadModel(
  { stack, previous, upgradeModels = false }: PreloadProblem,
  name: string,
  model: NonNullable<PreloadEntry["model"]>,
  edges: ModelEdges,
): Promise<LockedModel> {
  const isUpgraded = upgradeModels && model.source === "huggingface";
  const before = isUpgraded ? undefined : knownModel(previous, model, { part: "preload", name });
  const { pip: indexUrl, huggingface: hubEndpoint } = stack.mirrors;
  return lockModel({ model, before, indexUrl, hubEndpoint, where: `preload ${name}` }, edges);
}

/** What of a deployment decides its backend version. */
function deployedBy({ backendVersion, install, runnerImage }: PreloadEntry, backend: string) {
  return {
    backend,
    ...(backendVersion === undefined ? {} : { backendVersion }),
    ...(install === undefined ? {} : { install }),
    ...(runnerImage === undefined ? {} : { runnerImage }),
    extraParameters: [],
    env: {},
  };
}

function severalKinds(name: string, engines: readonly DraftEngine[], installs: readonly LockedInstall[]): BerthError {
  const ways = engines.map(({ release, platform }, index) => {
    const on = `${platform.os}/${platform.arch} with ${platform.acceleratorType}`;
    return `${on}: ${release.backend} ${release.backendVersion} by ${installs[index]?.method ?? ""}`;
  });
  return new BerthError("stack-inconsistent", {
    where: `preload ${name}`,
    what: "its hosts need different artifacts of the backend",
    got: ways.join("; "),
    expected: "hosts of one kind in each entry",
    hint: "make an entry for each kind of host, with `hosts` or `hostSelector`",
  });
}
