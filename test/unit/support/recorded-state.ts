import type { RecordedResource } from "../../../src/lock/applied.js";
import type { DesiredStack } from "../../../src/planner/desired.js";
import {
  desiredBackendVersionInputs,
  desiredInstanceInputs,
  desiredModelInputs,
} from "../../../src/resources/desired-inputs.js";
import { resourceKinds } from "../../../src/resources/kinds.js";

export const owner = "shop/dev";

/** The resources of a state in which all is as desired. */
export function recordedResources(desired: DesiredStack): RecordedResource[] {
  const { BackendVersion, ModelFiles, Instance } = resourceKinds;
  const common = { schemaVersion: 1, identity: "identity-1", drift: [], reachable: true };
  const record = (kind: string, outputs: object) => ({ kind, outputs: { ...common, ...outputs } });
  return [
    ...desired.backendVersions.map((each) => {
      const inputs = { ...desiredBackendVersionInputs(each), name: each.name, owner };
      return record("BackendVersion", { ...BackendVersion.inputs.parse(inputs), installation: `i ${each.name}` });
    }),
    ...desired.models.map((each) => {
      const inputs = { ...desiredModelInputs(each), name: each.name, owner };
      return record("ModelFiles", { ...ModelFiles.inputs.parse(inputs), placement: `p ${each.name}` });
    }),
    ...desired.instances.map((each) => {
      const needs = { installation: `i ${each.backendVersion}`, placement: `p ${each.model}` };
      const secretEnv = Object.fromEntries(Object.keys(each.placed.secretEnv).map((name) => [name, "hunter2"]));
      const inputs = { ...desiredInstanceInputs(each), ...needs, secretEnv, name: each.name, owner };
      const strategy = { kind: "create", downtime: "none" };
      return record("Instance", { ...Instance.inputs.parse({ ...inputs, strategy }), generation: `g ${each.name}` });
    }),
  ];
}

/** The same with outputs of one resource changed; undefined takes one away. */
export function changedResources(
  resources: readonly RecordedResource[],
  name: string,
  change: Readonly<Record<string, unknown>>,
): RecordedResource[] {
  return resources.map((each) =>
    each.outputs.name === name ? { ...each, outputs: { ...each.outputs, ...change } } : each,
  );
}
