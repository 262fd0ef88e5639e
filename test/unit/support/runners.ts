/** A catalogue of runner images as small as tests need, and hosts for it. */
import { assembleRunners, type RunnerCatalogue, type RunnerImage } from "../../../src/catalog/runner-catalogue.js";
import type { KnownHost } from "../../../src/planner/host-choice.js";
import type { Accelerator } from "../../../src/schema/facts.js";
import { runnerFile } from "../../../src/schema/runner.js";
import { gpuHost } from "./gpus.js";

type WrittenImage = Readonly<Record<string, unknown>> & { readonly version: string };

/**
 * CUDA images of the service `engine`, by the version of the runtime, newest first. They have code for capabilities from
 * 7.5 on; those of CUDA 13.0 only from 10.0 on.
 */
export function cudaRunners(images: Readonly<Record<string, readonly (string | WrittenImage)[]>>): RunnerCatalogue {
  const versions = Object.entries(images).map(([version, entries]) => ({
    version,
    computeCapabilities: version === "13.0" ? ["10.0", "12.0+PTX"] : ["7.5", "8.0+PTX", "9.0", "10.0", "12.0+PTX"],
    images: {
      engine: entries.map((entry) => ({
        ...{ platforms: ["linux/amd64", "linux/arm64"] },
        ...(typeof entry === "string" ? { version: entry } : entry),
      })),
    },
  }));
  const file = runnerFile.parse({
    ...{ schemaVersion: 1, acceleratorType: "cuda", name: "NVIDIA CUDA", vendor: "nvidia", device: "NVIDIA GPU" },
    hostRuntime: { comparable: true, source: "its driver" },
    services: { engine: "Engine" },
    versions,
  });
  return assembleRunners([{ file, where: "cuda.yaml" }]);
}

/** A catalogue whose images of a runtime tell no compute capabilities, as those of an import. */
export function importedRuntime(catalogue: RunnerCatalogue, version: string): RunnerCatalogue {
  const forget = (image: RunnerImage) =>
    image.acceleratorVersion === version ? { ...image, computeCapabilities: undefined } : image;
  return { ...catalogue, images: catalogue.images.map(forget) };
}

/** A host with a container engine and CUDA devices, of whose driver the runtime's version is told. */
export function cudaHost(runtimeVersion: string, changes: Partial<Accelerator> = {}): KnownHost {
  const host = gpuHost(2, {}, { runtimeVersion, computeCapability: "9.0", ...changes });
  const containerEngine = { engine: "docker", version: "26.1", apiVersion: "1.45" } as const;
  return { ...host, facts: { ...host.facts, containerEngine } };
}
