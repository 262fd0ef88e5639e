import { BerthError } from "../lib/errors.js";
import { createRedact } from "../lib/redact.js";
import type { Contexts } from "../resources/context.js";
import type { InstanceObserved } from "../resources/instance.js";
import type { CommonInputs, CommonObserved, ResourceKind } from "../resources/kind.js";
import { resourceKinds } from "../resources/kinds.js";
import { migrate, readInputs } from "../resources/migrate.js";
import { observeResource } from "../resources/observation.js";
import type { StateResource } from "./state.js";

/** What a resource of a state is now. Of a host that does not answer nothing is told but that. */
export async function observe<Inputs extends CommonInputs, Observed extends CommonObserved>(
  kind: ResourceKind<Inputs, Observed>,
  outputs: StateResource["outputs"],
  contexts: Contexts,
): Promise<Observed | CommonObserved> {
  const inputs = readInputs(kind, migrate(kind.kind, outputs));
  const context = contexts.of(inputs.host, createRedact(kind.secrets(inputs)));
  try {
    return await observeResource(kind, context, inputs, String(outputs.identity));
  } catch (error) {
    if (!(error instanceof BerthError) || error.code !== "host-unreachable") throw error;
    return { drift: [`is as it was known last: host ${inputs.host.name} does not answer`] };
  }
}

/** The same of what instances stand on, by the name of its kind; undefined for instances. */
export function observeRecorded(
  kind: string,
  outputs: StateResource["outputs"],
  contexts: Contexts,
): Promise<CommonObserved | undefined> {
  const { Host, BackendVersion, ModelFiles, Gateway, ModelGateway, ModelRoutes, Subordinate } = resourceKinds;
  switch (kind) {
    case Host.kind:
      return observe(Host, outputs, contexts);
    case BackendVersion.kind:
      return observe(BackendVersion, outputs, contexts);
    case ModelFiles.kind:
      return observe(ModelFiles, outputs, contexts);
    case Gateway.kind:
      return observe(Gateway, outputs, contexts);
    case ModelGateway.kind:
      return observe(ModelGateway, outputs, contexts);
    case ModelRoutes.kind:
      return observe(ModelRoutes, outputs, contexts);
    case Subordinate.kind:
      return observe(Subordinate, outputs, contexts);
    default:
      return Promise.resolve(undefined);
  }
}

/** Whether an instance was really looked at, on a host that answers. */
export function isSeen(observed: InstanceObserved | CommonObserved | undefined): observed is InstanceObserved {
  return observed !== undefined && "health" in observed;
}
