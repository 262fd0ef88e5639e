/** Berth: infrastructure as code for LLM inference on your own GPU hosts. */
export { ModelDeployment, type ModelDeploymentArgs } from "./pulumi/model-deployment.js";
export type { DeployedModel, DeployedReplica } from "./pulumi/deployed-model.js";
export { Stack, type StackArgs } from "./pulumi/stack.js";
export {
  BackendVersion,
  Host,
  Instance,
  Gateway,
  ModelFiles,
  ModelGateway,
  ModelRoutes,
  Subordinate,
  type BackendVersionArgs,
  type HostArgs,
  type InstanceArgs,
  type GatewayArgs,
  type ModelFilesArgs,
  type ModelGatewayArgs,
  type SubordinateArgs,
} from "./pulumi/resources.js";
