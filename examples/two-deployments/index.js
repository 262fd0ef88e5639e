import { Stack } from "pulumi-berth";

/** Everything that `stacks/<stack>.yaml` asks for. */
const stack = new Stack("two-deployments");

export const chat = stack.endpoints.apply((endpoints) => endpoints.chat);
export const team = stack.endpoints.apply((endpoints) => endpoints.team);
