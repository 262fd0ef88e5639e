import type * as pulumi from "@pulumi/pulumi";

import type { DesiredModelGateway } from "../planner/desired-model-gateway.js";
import { createModelGateway, createModelRoutes, type ModelGatewaySecrets } from "./desired-resources.js";
import type { Host } from "./resources.js";

export interface ModelGatewayOptions {
  readonly desired: readonly DesiredModelGateway[];
  readonly hostOf: (name: string) => Host;
  readonly findSecrets: (named: Readonly<Record<string, string>>) => Promise<pulumi.Output<Record<string, string>>>;
}

export interface ModelGateways {
  /** On each of its hosts its process, which comes before instances. */
  readonly processes: readonly pulumi.Resource[];
  /** Where clients ask it, on each of its hosts. */
  readonly endpoints: readonly string[];
  /** Makes what it serves. @param verified what has to be verified before */
  readonly route: (verified: readonly pulumi.Resource[]) => void;
}

/** The gateway that routes by model, on each of its hosts. */
export async function createModelGateways({
  desired,
  hostOf,
  findSecrets,
}: ModelGatewayOptions): Promise<ModelGateways> {
  const created = await Promise.all(
    desired.map(async (gateway) => {
      const { keySecrets, apiKeySecrets } = gateway;
      const [clientKeys, apiKeys] = await Promise.all([findSecrets(keySecrets), findSecrets(apiKeySecrets)]);
      const secrets: ModelGatewaySecrets = { clientKeys, apiKeys };
      const host = hostOf(gateway.host.name);
      return { gateway, host, secrets, process: createModelGateway(gateway, host, secrets) };
    }),
  );
  return {
    processes: created.map(({ process }) => process),
    endpoints: created.map(({ gateway }) => gateway.endpoint),
    route: (verified) => {
      for (const { gateway, host, secrets, process } of created)
        createModelRoutes(gateway, host, secrets, [process, ...verified]);
    },
  };
}
