import type { Locate } from "../schema/document.js";
import type { RunnerMatrix } from "../schema/runner-matrix.js";
import type { Dockerfile } from "./dockerfile.js";
import type { RunnerCatalogue } from "./runner-catalogue.js";

/** What an accelerator type's images are built from: `backends/runners/TYPE`. */
export interface BuildRecipe {
  readonly acceleratorType: string;
  readonly matrix: RunnerMatrix;
  /** Where a part of the matrix stands. */
  readonly locate: Locate;
  /** By name: `Dockerfile`, `Dockerfile.sglang`. */
  readonly dockerfiles: Readonly<Record<string, Dockerfile>>;
}

export interface BuildRequest {
  readonly catalogue: Pick<RunnerCatalogue, "files">;
  readonly recipes: readonly BuildRecipe[];
  /** Arguments that are given by hand, in the place of those of rules and Dockerfiles. */
  readonly args: Readonly<Record<string, string>>;
  /** Registry and namespace: `registry.example.net:5000/team`. */
  readonly prefix: string;
}

/** One image for one platform that is built. */
export interface BuildJob {
  /** `cuda12.9-vllm0.15.1` */
  readonly tag: string;
  /** `cuda12.9-vllm0.15.1-linux-amd64` */
  readonly platformTag: string;
  /** Where it is pushed to, with the platform's tag. */
  readonly image: string;
  /** Where its layers are kept for later builds: by its version, and by the first two and the first component of it. */
  readonly cacheImages: readonly string[];
  readonly acceleratorType: string;
  readonly acceleratorVersion: string;
  readonly runtimeVersion: string;
  readonly variant: string | undefined;
  readonly service: string;
  readonly serviceVersion: string;
  readonly platform: string;
  /** Path of the file. */
  readonly dockerfile: string;
  readonly target: string;
  /** Arguments in the place of the Dockerfile's own. */
  readonly args: Readonly<Record<string, string>>;
  /** Images that it is made from, and that are not built here. */
  readonly bases: readonly string[];
  /** Images of the same plan that it is made from, each by the argument that names it. */
  readonly needs: readonly { readonly argument: string; readonly platformTag: string }[];
}

/** An image of several platforms, put together from those of {@link BuildJob}s. */
export interface ManifestJob {
  readonly tag: string;
  /** Where it is pushed to before it is tested. */
  readonly devImage: string;
  /** Where it is released to. */
  readonly image: string;
  readonly platformTags: readonly string[];
}

export interface BuildPlan {
  /** An image comes after those that it is made from. */
  readonly jobs: readonly BuildJob[];
  readonly manifests: readonly ManifestJob[];
}

export function imageOf(prefix: string, tag: string): string {
  return `${prefix}/runner:${tag}`;
}

export function cacheImageOf(prefix: string, tag: string): string {
  return `${prefix}/runner-build-cache:${tag}`;
}
