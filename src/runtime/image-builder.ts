import { posix } from "node:path";

import { z } from "zod";

import type { Host } from "../host/host.js";
import type { RegistryLogin } from "../host/registry-login.js";
import { BerthError } from "../lib/errors.js";
import { lastLines } from "../lib/format.js";
import { DockerApi, defaultDockerPace, lost, type DockerCall, type DockerPace } from "./docker-api.js";
import { readBuildLog } from "./docker-build-log.js";
import { connectToDocker, createContainerEngine } from "./docker-engine.js";
import { explain } from "./docker-failure.js";
import { DockerFault } from "./docker-fault.js";
import { authOf, forEachLine, redactFault } from "./docker-pull.js";
import { explainRegistry, findRegistryProblem } from "./docker-registry.js";

/** What an engine is told to build. */
export interface ImageBuild {
  /** Name and tag that the engine gives the image. */
  readonly reference: string;
  /** A tar archive of the Dockerfile and the files that it copies. */
  readonly archive: Buffer;
  /** Name of the Dockerfile in it. */
  readonly dockerfile: string;
  readonly target: string;
  /** `linux/arm64` */
  readonly platform: string;
  readonly args: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** Whether the engine may take what it built before. */
  readonly useCache: boolean;
}

export interface BuildOptions {
  readonly signal?: AbortSignal | undefined;
  /** Takes each line that the build's commands print. */
  readonly onLine?: (line: string) => void;
}

/** Makes images, and sends them to their registries. */
export interface ImageBuilder {
  /** `20.10.24` */
  version(): Promise<string>;
  has(reference: string): Promise<boolean>;
  /** @throws BerthError `image-unavailable` when the registry does not give it */
  pull(reference: string, platform: string, login: RegistryLogin | undefined): Promise<void>;
  /** @throws BerthError `image-build-failed` with the last lines of the build */
  build(build: ImageBuild, options?: BuildOptions): Promise<void>;
  /**
   * Returns the digest that the registry knows the image by.
   *
   * @throws BerthError `image-unavailable` when the registry does not take it
   */
  push(reference: string, login: RegistryLogin | undefined, signal?: AbortSignal): Promise<string>;
}

/** A compiler may say nothing for long. */
const silenceSeconds = 3600;
const shownLines = 50;

const builderEvent = z.object({
  error: z.string().optional(),
  id: z.string().optional(),
  aux: z.unknown().optional(),
});
type BuilderEvent = z.output<typeof builderEvent>;
const pushed = z.object({ Digest: z.string().regex(/^sha256:[0-9a-f]{64}$/) });

/** A host's Docker Engine with its BuildKit (`docs/decisions/0021-runner-builds.md`). */
export function createImageBuilder(host: Host, pace: DockerPace = defaultDockerPace): ImageBuilder {
  return new DockerImageBuilder(host, pace);
}

class DockerImageBuilder implements ImageBuilder {
  readonly #host: Host;
  readonly #pace: DockerPace;
  readonly #api: DockerApi;

  constructor(host: Host, pace: DockerPace) {
    this.#host = host;
    this.#pace = pace;
    this.#api = new DockerApi(() => connectToDocker(host), pace);
  }

  async version(): Promise<string> {
    return (await createContainerEngine(this.#host, this.#pace).version()).version;
  }

  async has(reference: string): Promise<boolean> {
    return (await createContainerEngine(this.#host, this.#pace).findImage(reference)) !== undefined;
  }

  async pull(reference: string, platform: string, login: RegistryLogin | undefined): Promise<void> {
    await this.#transfer("/images/create", { fromImage: reference, platform }, reference, login);
  }

  async build(build: ImageBuild, { signal, onLine }: BuildOptions = {}): Promise<void> {
    const lines: string[] = [];
    const take = (line: string): void => {
      lines.push(line);
      if (lines.length > shownLines) lines.shift();
      onLine?.(line);
    };
    const { archive, reference, dockerfile, target, platform } = build;
    const query = {
      // BuildKit.
      version: "2",
      ...{ t: reference, dockerfile, target, platform, nocache: String(!build.useCache) },
      buildargs: JSON.stringify(build.args),
      labels: JSON.stringify(build.labels),
    };
    const where = this.#where(reference);
    try {
      await this.#follow({ method: "POST", path: "/build", query, archive }, signal, ({ id, aux }) => {
        if (id === "moby.buildkit.trace" && typeof aux === "string")
          readBuildLog(Buffer.from(aux, "base64")).forEach(take);
      });
    } catch (error) {
      if (!(error instanceof DockerFault)) throw error;
      const { reason } = error;
      if (reason.kind !== "refused" || findRegistryProblem(reason) === "unreachable") throw explain(error, where);
      throw buildFailure({ where, message: reason.message, log: lastLines(lines.join("\n"), shownLines), platform });
    }
  }

  async push(reference: string, login: RegistryLogin | undefined, signal?: AbortSignal): Promise<string> {
    const colon = reference.lastIndexOf(":");
    const [name, tag] = [reference.slice(0, colon), reference.slice(colon + 1)];
    let digest: string | undefined;
    const take = ({ aux }: BuilderEvent) => {
      digest = pushed.safeParse(aux).data?.Digest ?? digest;
    };
    await this.#transfer(posix.join("/images", name, "push"), { tag }, reference, login, take, signal);
    if (digest !== undefined) return digest;
    throw explain(new DockerFault({ kind: "lost", said: "the push ended without a digest" }), this.#where(reference));
  }

  /** Has the engine send an image to its registry, or fetch it there. */
  async #transfer(
    path: string,
    query: Readonly<Record<string, string>>,
    reference: string,
    login: RegistryLogin | undefined,
    take: (event: BuilderEvent) => void = () => undefined,
    signal?: AbortSignal,
  ): Promise<void> {
    // The engine wants the header for a push even without a login.
    const auth = login === undefined ? Buffer.from("{}").toString("base64") : authOf(login);
    try {
      await this.#follow({ method: "POST", path, query, headers: { "x-registry-auth": auth } }, signal, take);
    } catch (error) {
      if (!(error instanceof DockerFault)) throw error;
      const fault = redactFault(error, login);
      const where = this.#where(reference);
      const problem = findRegistryProblem(fault.reason);
      if (problem === undefined || fault.reason.kind !== "refused") throw explain(fault, where);
      throw explainRegistry(problem, { message: fault.reason.message, reference, where, login: login !== undefined });
    }
  }

  #where(reference: string): string {
    return `${this.#host.name}: image ${reference}`;
  }

  /** Reads what the engine tells, to its end. Errors come as lines too, after the status 200. */
  async #follow(call: DockerCall, asked: AbortSignal | undefined, take: (event: BuilderEvent) => void): Promise<void> {
    const silent = new AbortController();
    const giveUp = () => silent.abort(new DockerFault({ kind: "late", seconds: silenceSeconds }));
    const timer = setTimeout(giveUp, silenceSeconds * 1000);
    const signal = asked === undefined ? silent.signal : AbortSignal.any([silent.signal, asked]);
    try {
      await forEachLine(await this.#api.stream(call, signal), (line) => {
        timer.refresh();
        const { data } = builderEvent.safeParse(parseLine(line));
        if (data?.error !== undefined)
          throw new DockerFault({ kind: "refused", status: undefined, message: data.error });
        if (data !== undefined) take(data);
      });
    } catch (error) {
      throw lost(error, signal);
    } finally {
      clearTimeout(timer);
    }
  }
}

function buildFailure(failed: { where: string; message: string; log: string; platform: string }): BerthError {
  const { where, message, log, platform } = failed;
  const isForeign = /exec format error/.test(`${message}\n${log}`);
  const hint = `the engine cannot run programs for ${platform}: give it an emulator (binfmt_misc with QEMU), or build on such a machine with --platform ${platform}`;
  return new BerthError("image-build-failed", {
    ...{ where, what: "the image could not be built", got: message, detail: log },
    ...(isForeign ? { hint } : {}),
  });
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line === "" ? "{}" : line);
  } catch (error) {
    throw new DockerFault({ kind: "unreadable", said: line.slice(0, 200) }, error);
  }
}
