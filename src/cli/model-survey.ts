import type { HostReference } from "../host/host.js";
import { findUses, type ModelSurvey, type WantedModel } from "../install/model-eviction.js";
import { listClaims, listModels, type StoredModel } from "../install/model-inventory.js";
import { BerthError } from "../lib/errors.js";
import { filesOf } from "../model/repository.js";
import { desiredStack, type DesiredBackendVersion, type DesiredModel } from "../planner/desired.js";
import type { Contexts } from "../resources/context.js";
import type { Context } from "../resources/kind.js";
import { readProjectLocks } from "./project-locks.js";
import { projectName, stackFileOf, type Workplace } from "./workplace.js";

/** A model on a host, with who uses it: deployments of this stack by their names, other stacks as PROJECT/STACK. */
export interface ModelRow extends Omit<StoredModel, "wantedBy"> {
  readonly host: string;
  readonly users: readonly string[];
}

/** The hosts of a stack, and what all locks of the project want there. */
export interface SurveyedStack {
  /** `project/stack` */
  readonly owner: string;
  readonly hosts: readonly HostReference[];
  readonly models: readonly (DesiredModel & { readonly owner: string })[];
  readonly backendVersions: readonly DesiredBackendVersion[];
}

/** @param named one host; by default all */
export async function readStack({ root }: Workplace, stack: string, named: string | undefined): Promise<SurveyedStack> {
  const project = projectName(root);
  const locks = await readProjectLocks(root);
  const own = locks.find((each) => each.stack === stack)?.lock;
  if (own === undefined) {
    throw new BerthError("lock-missing", {
      where: stackFileOf(root, stack),
      what: "the lock is missing, which says where the hosts have their models",
      hint: `run \`berth lock ${stack}\``,
    });
  }
  const desired = locks.map(({ stack: name, lock }) => ({ owner: `${project}/${name}`, ...desiredStack(lock, root) }));
  const models = desired.flatMap(({ owner, models }) => models.map((model) => ({ ...model, owner })));
  const backendVersions = desired.flatMap((each) => each.backendVersions);
  const hosts = desiredStack(own, root).hosts.map(({ host }) => host);
  const chosen = hosts.filter(({ name }) => named === undefined || name === named);
  if (chosen.length > 0 || named === undefined)
    return { owner: `${project}/${stack}`, hosts: chosen, models, backendVersions };
  throw new BerthError("usage", {
    what: "the stack has no such host",
    got: named,
    expected: hosts.map(({ name }) => name).join(" or "),
  });
}

/**
 * Does something on all hosts at once. One that does not answer is told of, and the others go on.
 *
 * @returns what to call when all that was found is printed: it throws when a host was left out
 */
export async function onEachHost<T>(
  workplace: Workplace,
  contexts: readonly Context[],
  action: (context: Context) => Promise<T>,
): Promise<{ done: T[]; assertAll: () => void }> {
  const lost: string[] = [];
  const done = await Promise.all(
    contexts.map(async (context) => {
      try {
        return [await action(context)];
      } catch (error) {
        if (!(error instanceof BerthError)) throw error;
        lost.push(context.reference.name);
        workplace.note(`host ${context.reference.name}: ${error.message}`);
        return [];
      }
    }),
  );
  const assertAll = () => {
    if (lost.length === 0) return;
    const what = `${lost.length} of ${contexts.length} hosts could not be looked at`;
    throw new BerthError("command-failed", { what, got: lost.sort().join(", ") });
  };
  return { done: done.flat(), assertAll };
}

/** Looks at the models of one host. */
export async function surveyHost({ host, reference }: Context, { models }: SurveyedStack): Promise<ModelSurvey> {
  const { dataDir } = reference;
  const wanted = models
    .filter((model) => isSamePlace(model.host, reference))
    .map(({ owner, model }): WantedModel => {
      return { owner, sha256: model.sha256, files: filesOf(model).map(({ sha256 }) => sha256) };
    });
  return { stored: await listModels(host, dataDir), claims: await listClaims(host, dataDir), wanted };
}

/** Stacks may call one machine by two names. */
export function isSamePlace(one: HostReference, other: HostReference): boolean {
  return one.dataDir === other.dataDir && (one.name === other.name || machineOf(one) === machineOf(other));
}

function machineOf(host: HostReference): string {
  return host.connection === "local" ? "local" : `${host.ssh.address} ${host.ssh.port ?? 22}`;
}

export function describeModels(survey: ModelSurvey, { name }: HostReference, stack: SurveyedStack): ModelRow[] {
  return survey.stored.map((stored) => {
    const { wantedBy: _, ...model } = stored;
    const users = findUses(stored, survey).flatMap(({ owner, how }) => {
      const own = stack.models.find(
        ({ host, model: { sha256 }, ...other }) =>
          owner === stack.owner && other.owner === owner && host.name === name && sha256 === stored.sha256,
      );
      const known = own?.users ?? [owner];
      return how === "resource" ? known : known.map((user) => `${user} (${how})`);
    });
    return { host: name, ...model, users: [...new Set(users)].sort() };
  });
}

/** Opens the hosts of a stack one after the other. */
export function contextsOf(stack: SurveyedStack, contexts: Contexts): Context[] {
  return stack.hosts.map((host) => contexts.of(host, (text) => text));
}
