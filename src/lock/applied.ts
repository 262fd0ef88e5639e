import { z } from "zod";

import type { DesiredInstance, DesiredStack } from "../planner/desired.js";
import { compareInstances } from "../planner/replicas.js";
import {
  desiredBackendVersionInputs,
  desiredInstanceInputs,
  desiredModelInputs,
  desiredSubordinateInputs,
} from "../resources/desired-inputs.js";
import { compareFields } from "../resources/difference.js";
import type { CommonInputs, CommonObserved, ResourceKind } from "../resources/kind.js";
import { resourceKinds } from "../resources/kinds.js";
import { migrate, readInputs } from "../resources/migrate.js";

/** What Pulumi's state tells of a stack; its resources' outputs are what truly runs. */
export interface RecordedState {
  readonly resources: readonly RecordedResource[];
  /** Operations that have begun and not ended: interrupted, unless an update runs now. */
  readonly pendingOperations: number;
  readonly updater: Updater;
}

/** Who changes a stack now: a process that lives, or one of another machine, which may be dead; `unknown` where nobody tells. */
export type Updater =
  { readonly kind: "running" | "elsewhere"; readonly holder: string } | { readonly kind: "none" | "unknown" };

export interface RecordedResource {
  readonly kind: string;
  readonly outputs: Readonly<Record<string, unknown>>;
  /** Whether its last operation failed and left it in the state. */
  readonly failed?: boolean | undefined;
  /** Whether it was replaced and waits to be deleted. */
  readonly leaving?: boolean | undefined;
}

/** Whether a deployment's bundle is applied; if not, why, one sentence each. */
export type Applied = { readonly applied: true } | { readonly applied: false; readonly reasons: readonly string[] };

export interface AppliedProblem {
  /** Names of the lock's deployments. */
  readonly deployments: readonly string[];
  /** What the lock asks for. */
  readonly desired: DesiredStack;
  /** Undefined when nothing was ever deployed. */
  readonly state: RecordedState | undefined;
  /** Whose state it is, as project/stack. */
  readonly owner: string;
}

/**
 * Which bundles of a lock are applied: the state has every replica, with all that the lock asks for, and what it stands
 * on, and no operation was interrupted. By deployment. Reasons name fields and never their values. Pure.
 *
 * @throws BerthError `lock-incompatible` for a state of a version of Berth that this one does not know
 */
export function findApplied({ deployments, desired, state, owner }: AppliedProblem): Record<string, Applied> {
  const look = (name: string): Applied => {
    const reasons = state === undefined ? ["the stack was never brought up"] : new Look(desired, state, owner).at(name);
    return reasons.length === 0 ? { applied: true } : { applied: false, reasons };
  };
  return Object.fromEntries(deployments.map((name) => [name, look(name)]));
}

/** Why a state is not settled; undefined when it is. Pure. */
export function describeUnsettled({
  pendingOperations: count,
  updater,
}: Pick<RecordedState, "pendingOperations" | "updater">): string | undefined {
  const [operations, were] = count === 1 ? ["an operation", "was"] : [`${count} operations`, "were"];
  switch (updater.kind) {
    case "running":
      return `an update runs now (${updater.holder}): wait until it is done`;
    case "elsewhere":
      return `an update runs now, or was killed (${updater.holder}): wait until it is done; if it was killed, run \`berth recover\` there`;
    case "none":
      return count === 0 ? undefined : `${operations} ${were} interrupted: run \`berth recover\``;
    case "unknown":
      return count === 0
        ? undefined
        : `${operations} ${were} interrupted, or an update runs now: wait until it is done; if none runs, run \`pulumi refresh --clear-pending-creates\``;
  }
}

/** A state beside what a lock asks for. */
class Look {
  readonly #desired: DesiredStack;
  readonly #state: RecordedState;
  readonly #owner: string;

  constructor(desired: DesiredStack, state: RecordedState, owner: string) {
    this.#desired = desired;
    this.#state = state;
    this.#owner = owner;
  }

  /** Why a deployment is not applied. */
  at(deployment: string): string[] {
    const wanted = this.#desired.instances.filter(({ placed }) => placed.deployment === deployment);
    const unsettled = describeUnsettled(this.#state);
    return [
      ...(unsettled === undefined ? [] : [unsettled]),
      ...(wanted.length === 0 ? ["the lock has no replica of it"] : []),
      ...new Set(wanted.flatMap((instance) => this.#needReasons(instance))),
      ...wanted.flatMap((instance) => this.#instanceReasons(instance)),
      ...this.#surplus(deployment, wanted).map((name) => `${name} is in the state, and the lock does not want it`),
    ];
  }

  /** Of the backend versions and the models that an instance stands on, and what it has on other hosts. */
  #needReasons(instance: DesiredInstance): string[] {
    const { BackendVersion, ModelFiles } = resourceKinds;
    const others = this.#desired.subordinates.filter((each) => each.instance === instance.name);
    return [instance, ...others].flatMap(({ name, backendVersion: engine, model: file }) => {
      const backendVersion = this.#desired.backendVersions.find((each) => each.name === engine);
      const model = this.#desired.models.find((each) => each.name === file);
      if (backendVersion === undefined || (file !== undefined && model === undefined))
        throw new Error(`the lock's parts do not fit: ${name}`);
      const given = ["registryPassword"] as const;
      return [
        ...this.#compare(BackendVersion, backendVersion.name, desiredBackendVersionInputs(backendVersion), given),
        ...(model === undefined ? [] : this.#compare(ModelFiles, model.name, desiredModelInputs(model), ["token"])),
      ];
    });
  }

  #instanceReasons(desired: DesiredInstance): string[] {
    const { name, placed } = desired;
    const given = ["installation", "placement", "secretEnv", "strategy", "subordinates"] as const;
    const reasons = this.#compare(resourceKinds.Instance, name, desiredInstanceInputs(desired), given);
    const outputs = this.#find("Instance", name)?.outputs;
    if (outputs === undefined) return reasons;
    const needs = [
      ["BackendVersion", desired.backendVersion, "installation"],
      ["ModelFiles", desired.model, "placement"],
    ] as const;
    const variables = (values: unknown) =>
      Object.keys(values ?? {})
        .sort()
        .join();
    return [
      ...reasons,
      ...needs.flatMap(([kind, need, field]) => {
        const present = this.#find(kind, need)?.outputs[field];
        return present === undefined || present === outputs[field]
          ? []
          : [`${name} was not started again since ${kind} ${need} was put in place anew`];
      }),
      ...(variables(outputs.secretEnv) === variables(placed.secretEnv)
        ? []
        : [`${name} has another secretEnv than the lock asks for`]),
      ...this.#subordinateReasons(name, outputs.subordinates),
      ...(outputs.generation === "" ? [`${name} was never verified`] : []),
    ];
  }

  /** Of what an instance has on other hosts. @param told what its primary was started with */
  #subordinateReasons(instance: string, told: unknown): string[] {
    const wanted = this.#desired.subordinates.filter((each) => each.instance === instance);
    const members = z.array(z.object({ name: z.string(), start: z.string() })).parse(told ?? []);
    if (members.map(({ name }) => name).join() !== wanted.map(({ name }) => name).join())
      return [`${instance} has another subordinates than the lock asks for`];
    return wanted.flatMap((desired, index) => {
      const start = this.#find("Subordinate", desired.name)?.outputs.start;
      const isSame = start === undefined || start === members[index]?.start;
      const late = `${instance} was not started again since Subordinate ${desired.name} was`;
      const inputs = desiredSubordinateInputs(desired);
      return [
        ...this.#compare(resourceKinds.Subordinate, desired.name, inputs, [
          "installation",
          "head",
          "token",
          "placement",
        ]),
        ...(isSame ? [] : [late]),
      ];
    });
  }

  /** @param given fields that are taken as they are: secrets, and what other resources' outputs give */
  #compare<Inputs extends CommonInputs, Observed extends CommonObserved>(
    kind: ResourceKind<Inputs, Observed>,
    name: string,
    desired: Partial<Record<keyof Inputs, unknown>>,
    given: readonly (keyof Inputs)[],
  ): string[] {
    const found = this.#find(kind.kind, name);
    const what = kind.kind === "Instance" ? name : `${kind.kind} ${name}`;
    if (found === undefined) return [`${what} is not in the state`];
    const olds = readInputs(kind, migrate(kind.kind, found.outputs));
    const taken = Object.fromEntries(given.map((field) => [field, olds[field]]));
    const news = kind.inputs.parse({ ...desired, ...taken, name, owner: this.#owner });
    const fields = compareFields(kind.differences, olds, news).map(({ field }) => field);
    return [
      ...(found.failed === true ? [`the last operation on ${what} failed`] : []),
      ...(fields.length === 0 ? [] : [`${what} has another ${fields.join(", ")} than the lock asks for`]),
    ];
  }

  #surplus(deployment: string, wanted: readonly DesiredInstance[]): string[] {
    const names = new Set(wanted.map(({ name }) => name));
    return this.#present("Instance")
      .filter(({ outputs }) => outputs.deployment === deployment && !names.has(String(outputs.name)))
      .map(({ outputs }) => String(outputs.name))
      .sort(compareInstances);
  }

  #find(kind: string, name: string): RecordedResource | undefined {
    return this.#present(kind).find(({ outputs }) => outputs.name === name);
  }

  #present(kind: string): RecordedResource[] {
    return this.#state.resources.filter((each) => each.kind === kind && each.leaving !== true);
  }
}
