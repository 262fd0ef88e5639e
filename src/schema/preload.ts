import { z } from "zod";

import { installMethods } from "./backend.js";
import { modelSource } from "./model.js";
import { ofRelease } from "./ownership.js";
import { runnerImageChoice } from "./runner-image.js";
import { name } from "./scalars.js";
import { hostSelector } from "./selector.js";
import { versionConstraint } from "./version-range.js";

/** What lies ready on hosts before a deployment wants it: a deployment's own words, without a service. */
export const preloadEntry = z
  .strictObject({
    backend: ofRelease(
      name
        .optional()
        .describe(
          "Name of the inference engine: a file in backends/. `auto` chooses by the model, as a deployment does",
        ),
    ),
    backendVersion: ofRelease(
      versionConstraint
        .optional()
        .describe("A release of the backend, or a constraint. Default: the backend file's default version"),
    ),
    install: ofRelease(
      z
        .enum(installMethods)
        .optional()
        .describe("How the backend version is installed. Default: the first that fits the hosts"),
    ),
    runnerImage: ofRelease(runnerImageChoice.optional()),
    model: ofRelease(modelSource.optional()),
    hosts: z.array(name).min(1).optional().describe("The hosts, by name. Default: all that have the labels"),
    hostSelector: hostSelector
      .optional()
      .describe("Labels that the hosts must have, as in a deployment. Default: the backend's, else all hosts"),
  })
  .superRefine(({ backend, backendVersion, install, runnerImage, model }, context) => {
    const refuse = (field: string, message: string) =>
      context.addIssue({ code: "custom", path: [field], message, input: undefined });
    if (backend === undefined && model === undefined) refuse("backend", "expected a backend, a model or both");
    if (backend === undefined && (backendVersion ?? install ?? runnerImage) !== undefined)
      refuse("backend", "expected the backend whose version is meant");
    if (runnerImage !== undefined && install !== undefined && install !== "image")
      refuse("runnerImage", `expected no \`install: ${install}\` beside it`);
    if (backend === "auto" && model === undefined) refuse("model", "expected the model by which the backend is chosen");
  })
  .describe("A backend version, a model or both, kept on hosts before a deployment wants them");

export type PreloadEntry = z.output<typeof preloadEntry>;
