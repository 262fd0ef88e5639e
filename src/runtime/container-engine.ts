import type { RegistryLogin } from "../host/registry-login.js";
import type { ContainerBody } from "./container-body.js";
import type { OutputFollower } from "./supervisor.js";

export interface EngineVersion {
  readonly product: "docker" | "podman";
  readonly version: string;
  readonly apiVersion: string;
}

/** What an engine has of an image. */
export interface ImageStatus {
  /** The engine's own name of it, `sha256:...`: of its configuration, or of its manifest, as the engine keeps images. */
  readonly id: string;
  /** `NAME@sha256:...` for each repository that it was pulled from. */
  readonly digests: readonly string[];
  readonly sizeBytes: number;
  /** What its containers find in their environment, as `NAME=value`. */
  readonly environment: readonly string[];
  /** What its containers execute that name nothing else; undefined when it says nothing. */
  readonly entrypoint?: readonly string[] | undefined;
}

/** How far a pull is. Layers that were there already count as done, without bytes; others are known bit by bit. */
export interface PullProgress {
  readonly layers: number;
  readonly doneLayers: number;
  readonly bytes: number;
  readonly totalBytes: number;
}

export interface PullOptions {
  readonly login?: RegistryLogin | undefined;
  readonly onProgress?: ((progress: PullProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A container by its name, without asking more of it. */
export interface ContainerSummary {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly running: boolean;
  /** Ports of the host that lead into it now. */
  readonly ports: readonly number[];
}

/** What the engine tells of one container (`GET /containers/{id}/json`). */
export interface ContainerStatus {
  readonly id: string;
  readonly name: string;
  /** Id of the image that it was made of. */
  readonly imageId: string;
  readonly state: "created" | "running" | "paused" | "restarting" | "removing" | "exited" | "dead";
  /** 0 when it does not run. */
  readonly pid: number;
  readonly exitCode: number;
  readonly outOfMemory: boolean;
  /** What the engine says of a start that failed. */
  readonly error: string;
  /** When it was last started, ISO 8601; empty when it never was. */
  readonly startedAt: string;
  /** How often the engine has started it again by itself since it was started. */
  readonly restarts: number;
  /**
   * How it was made, as the engine tells it: with what the image gave it (`Env`, `Labels`, `ExposedPorts`), and with the
   * engine's own values where the body had none.
   */
  readonly body: ContainerBody;
}

/** How a container's first process ended. */
export interface ContainerEnd {
  readonly exitCode: number;
  readonly outOfMemory: boolean;
}

/**
 * A host's Docker Engine, as far as Berth uses it. Every implementation passes the same contract suite
 * (`test/contract/container-engine.ts`). What goes wrong is a `BerthError`: `docker-unreachable`, `docker-refused`,
 * `disk-full`, and others that are named below. What reads, or may be done twice, is tried again when the connection
 * breaks off or the engine fails. An engine that does not answer is waited for one minute, or as long as it may need.
 */
export interface ContainerEngine {
  /** Version of the engine and of its API; Podman answers in Docker's words too. */
  version(): Promise<EngineVersion>;

  /** The folder of its host where images are kept; undefined where that cannot be told. */
  dataFolder(): Promise<string | undefined>;
  /** Undefined when the engine has no such image. @param reference a tag, `NAME@sha256:...`, or an id */
  findImage(reference: string): Promise<ImageStatus | undefined>;
  /**
   * Pulls an image by its digest. Done when all of it is there. What does not come, or is not given, is
   * `image-unavailable`. @param reference `NAME@sha256:...`
   */
  pull(reference: string, options?: PullOptions): Promise<void>;
  /** Removes a name of an image, and the image with its last name. Nothing there is fine; one in use is an error. */
  removeImage(reference: string): Promise<void>;

  /** Makes a container and does not start it. Returns its id. A name that is taken is `host-foreign`. */
  createContainer(name: string, body: ContainerBody): Promise<string>;
  /**
   * One that runs already is fine. A port that is taken is `port-in-use`, devices that the engine cannot give are
   * `host-unsuitable`; the container is there all the same. @param container its id or name, as everywhere below
   */
  startContainer(container: string): Promise<void>;
  /** Sends its stop signal, and kills it after a time. One that does not run is fine. */
  stopContainer(container: string, graceSeconds: number): Promise<void>;
  /** Also when it runs; with its volumes that have no name. Nothing there is fine. */
  removeContainer(container: string): Promise<void>;
  /** Running or not; one that has the name already is fine. A name that is taken is `host-foreign`. */
  renameContainer(container: string, name: string): Promise<void>;
  /** Undefined when there is none. */
  inspectContainer(container: string): Promise<ContainerStatus | undefined>;
  /** How a container that was started again has ended before; undefined when the engine does not know any more. */
  lastEnd(container: string): Promise<ContainerEnd | undefined>;
  /** Containers that have all these labels with these values, running or not. */
  listContainers(labels: Readonly<Record<string, string>>): Promise<ContainerSummary[]>;
  /** The last lines of its standard output and error, in the order in which they came; of these the last 1 MB. */
  readOutput(container: string, lines: number): Promise<string>;
  /** The same, and then each line as it comes, until the signal or the container's end. */
  followOutput(container: string, lines: number, follower: OutputFollower): Promise<void>;
}
