import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";

import pRetry, { AbortError } from "p-retry";

import type { RegistryLogin } from "../host/registry-login.js";
import { LineSplitter } from "../host/line-splitter.js";
import { createRedact } from "../lib/redact.js";
import type { PullOptions } from "./container-engine.js";
import { lost, type DockerApi } from "./docker-api.js";
import { explain, isPassing } from "./docker-failure.js";
import { DockerFault } from "./docker-fault.js";
import { PulledLayers, pullEvent } from "./docker-layers.js";
import { explainRegistry, findRegistryProblem } from "./docker-registry.js";

export interface Pull {
  readonly api: DockerApi;
  /** `NAME@sha256:...` */
  readonly reference: string;
  /** Host and image, for errors. */
  readonly where: string;
  readonly options: PullOptions;
  /** Whether the image is there now: an answer that just ends does not tell. */
  readonly isThere: () => Promise<boolean>;
}

/**
 * Has the engine pull an image. What broke off on the way from the registry is tried again; layers that are there then
 * are not fetched twice.
 *
 * @throws BerthError `image-unavailable`, `disk-full`, and what every call to an engine throws
 */
export async function pullImage(pull: Pull): Promise<void> {
  const { api, reference, where, options } = pull;
  const { pullRetries: retries, pullWaitSeconds } = api.pace;
  const { signal, login } = options;
  const cancelling = signal === undefined ? {} : { signal };
  signal?.throwIfAborted();
  try {
    await pRetry(() => pullOnce(pull), {
      retries,
      minTimeout: pullWaitSeconds * 1000,
      ...cancelling,
      // A registry that counts requests does so by the minute or longer.
      onFailedAttempt: async ({ error, attemptNumber, retriesLeft }) => {
        const isCrowded = error instanceof DockerFault && findRegistryProblem(error.reason) === "crowded";
        if (isCrowded && retriesLeft > 0)
          await delay(2 * attemptNumber * pullWaitSeconds * 1000, undefined, cancelling);
      },
    });
  } catch (error) {
    if (signal?.aborted === true) throw signal.reason;
    if (!(error instanceof DockerFault)) throw error;
    const fault = redactFault(error, login);
    const problem = findRegistryProblem(fault.reason);
    if (problem === undefined || fault.reason.kind !== "refused") throw explain(fault, where);
    const { message } = fault.reason;
    throw explainRegistry(problem, { message, reference, where, login: login !== undefined });
  }
}

async function pullOnce(pull: Pull): Promise<void> {
  try {
    await follow(pull);
    if (!(await pull.isThere())) throw new DockerFault({ kind: "lost", said: "the pull ended without the image" });
  } catch (error) {
    if (error instanceof DockerFault && mayBeTriedAgain(error)) throw error;
    throw new AbortError(error as Error);
  }
}

function mayBeTriedAgain(fault: DockerFault): boolean {
  const problem = findRegistryProblem(fault.reason);
  return problem === undefined ? isPassing(fault) : !["login", "absent", "untrusted"].includes(problem);
}

/** Reads what the engine tells of the pull, to its end. Errors come as lines too, after the status 200. */
async function follow({ api, reference, options }: Pull): Promise<void> {
  const { silenceSeconds } = api.pace;
  const silent = new AbortController();
  const giveUp = () => silent.abort(new DockerFault({ kind: "late", seconds: silenceSeconds }));
  const timer = setTimeout(giveUp, silenceSeconds * 1000);
  const signal = options.signal === undefined ? silent.signal : AbortSignal.any([silent.signal, options.signal]);
  const layers = new PulledLayers();
  const take = (line: string): void => {
    timer.refresh();
    const event = parseEvent(line);
    if (event.error !== undefined) throw new DockerFault({ kind: "refused", status: undefined, message: event.error });
    if (layers.take(event)) options.onProgress?.(layers.progress);
  };
  const at = reference.indexOf("@");
  const query = { fromImage: reference.slice(0, at), tag: reference.slice(at + 1) };
  const headers = options.login === undefined ? undefined : { "x-registry-auth": authOf(options.login) };
  try {
    const stream = await api.stream({ method: "POST", path: "/images/create", query, headers }, signal);
    await forEachLine(stream, take);
  } catch (error) {
    throw lost(error, signal);
  } finally {
    clearTimeout(timer);
  }
}

export async function forEachLine(stream: Readable, take: (line: string) => void): Promise<void> {
  const splitter = new LineSplitter(take);
  for await (const chunk of stream as AsyncIterable<Buffer>) splitter.write(chunk);
  splitter.end();
}

function parseEvent(line: string) {
  try {
    return pullEvent.parse(JSON.parse(line === "" ? "{}" : line));
  } catch (error) {
    throw new DockerFault({ kind: "unreadable", said: line.slice(0, 200) }, error);
  }
}

/** https://docs.docker.com/reference/api/engine/version/v1.41/#section/Authentication */
export function authOf({ username, password }: RegistryLogin): string {
  // base64url with its padding, which Node leaves out: an engine takes a text without it as no login at all.
  const text = Buffer.from(JSON.stringify({ username, password })).toString("base64");
  return text.replaceAll("+", "-").replaceAll("/", "_");
}

/** Registries, and what is before them, may repeat what they were sent. */
export function redactFault({ reason }: DockerFault, login: RegistryLogin | undefined): DockerFault {
  if (login === undefined || !("message" in reason)) return new DockerFault(reason);
  const { username, password } = login;
  const redact = createRedact([password, `${username}:${password}`, authOf(login)]);
  return new DockerFault({ ...reason, message: redact(reason.message) });
}
