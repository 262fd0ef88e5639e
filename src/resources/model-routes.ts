/**
 * What the gateway of a stack that routes by model serves on one of its hosts: names of models, keys, limits, and no other
 * replicas than those that there are. It changes when these are verified, and before those that go are stopped.
 */
import { posix } from "node:path";

import { canonicalJson } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { gatewayIdentity } from "./gateway-process.js";
import type { CommonObserved, Context, ResourceKind } from "./kind.js";
import {
  assertDistinctKeys,
  modelGatewayInputs,
  secretsOf,
  settingsDifferences,
  settingsOf,
  type ModelGatewayInputs,
} from "./model-gateway-inputs.js";

export const modelRoutesKind: ResourceKind<ModelGatewayInputs, CommonObserved> = {
  kind: "ModelRoutes",
  inputs: modelGatewayInputs,
  differences: {
    ...gatewayIdentity,
    haproxy: { change: "none", reason: "the gateway's own" },
    runtime: { change: "none", reason: "the gateway's own" },
    ...settingsDifferences,
  },
  uses: ({ owner }) => posix.join("model-gateways", owner),
  secrets: secretsOf,

  async observe(context, inputs) {
    return { drift: await findDrift(context, inputs) };
  },

  async converge(context, operation, inputs) {
    assertDistinctKeys(inputs);
    const gateway = context.modelGateway(inputs.owner);
    const wanted = settingsOf(inputs);
    const before = await gateway.settings();
    await operation.step("tell the gateway what it serves", () => gateway.apply(wanted, inputs.haproxy));
    await operation.step("let requests to replicas that go end", () => gateway.drain(before, wanted));
    const unhealthy = await operation.step("wait until it reaches all replicas", () => gateway.awaitHealthy(wanted));
    if (unhealthy.length > 0) throw unreached(context, unhealthy);
  },

  /** The gateway goes after it, with all that it has. */
  async remove() {
    await Promise.resolve();
  },
};

async function findDrift(context: Context, inputs: ModelGatewayInputs): Promise<string[]> {
  const gateway = context.modelGateway(inputs.owner);
  const told = await gateway.settings();
  if (told === undefined || canonicalJson(told) !== canonicalJson(settingsOf(inputs)))
    return ["the gateway was told something else"];
  return (await gateway.findUnhealthy()).map((server) => `does not reach ${server}`);
}

function unreached({ host }: Context, unhealthy: readonly string[]): BerthError {
  return new BerthError("runner-failed", {
    where: `host ${host.name}`,
    what: "the gateway does not reach every replica",
    got: unhealthy.join(", "),
    expected: "an answer 2xx at the path by which their engines tell that they are up",
    hint: "see whether a firewall is between the hosts, and whether `bindAddress` and `privateAddress` are right",
  });
}
