/** What a gateway that routes by model may be told. */
import type { ModelGatewaySettings } from "../../src/runtime/model-gateway-settings.js";

type Target = ModelGatewaySettings["targets"][string];

export const serverAt = (instance: string, port: number) => ({ instance, address: "127.0.0.1", port });

/** Served by its engine under the name that its first replica begins with. */
export function targetOf(...servers: Target["servers"]): Target {
  const servedModel = servers[0]?.instance.replace(/-\d+$/, "") ?? "chat";
  return { servedModel, servers, healthPath: "/health", minHealthySeconds: 10, drainSeconds: 60 };
}

/** One model on one replica, unless something else is asked for. */
export function gatewaySettings(settings: Partial<ModelGatewaySettings> = {}): ModelGatewaySettings {
  return {
    listen: { address: "127.0.0.1", port: 8080 },
    metrics: { address: "127.0.0.1", port: 8405 },
    routes: { chat: { chat: 100 } },
    targets: { chat: targetOf(serverAt("chat-0", 14_000)) },
    ...{ keys: {}, keyDigests: {}, apiKeys: {} },
    ...{ queueSeconds: 30, maxBodyBytes: 33_554_432, accessLog: true },
    ...settings,
  };
}
