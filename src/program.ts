/** The Pulumi program of this project: the stack file of the selected stack. */
import * as pulumi from "@pulumi/pulumi";

import { Stack } from "./pulumi/stack.js";

const stack = new Stack(pulumi.getStack());

export const endpoints = stack.endpoints;
export const deployments = stack.deployments;
/** Of the gateway that routes by model; undefined, and so not shown, without one. */
export const gateways = stack.gateways;
