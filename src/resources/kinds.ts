import { backendVersionKind } from "./backend-version.js";
import { gatewayKind } from "./gateway.js";
import { hostKind } from "./host.js";
import { instanceKind } from "./instance.js";
import { modelFilesKind } from "./model-files.js";
import { modelGatewayKind } from "./model-gateway.js";
import { modelRoutesKind } from "./model-routes.js";
import { subordinateKind } from "./subordinate.js";

const onHosts = {
  BackendVersion: backendVersionKind,
  ModelFiles: modelFilesKind,
  Gateway: gatewayKind,
  Instance: instanceKind,
  ModelGateway: modelGatewayKind,
  ModelRoutes: modelRoutesKind,
  Subordinate: subordinateKind,
};

/** Every kind of resource. A host takes away what was left on it of the others. */
export const resourceKinds = {
  Host: hostKind(async (context, operation, kind, key) => {
    const left = Object.values(onHosts).find((candidate) => candidate.kind === kind);
    await left?.remove(context, operation, key);
  }),
  ...onHosts,
};
