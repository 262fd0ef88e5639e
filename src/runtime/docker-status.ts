import { z } from "zod";

import type { ContainerBody } from "./container-body.js";
import type { ContainerStatus, ContainerSummary, ImageStatus } from "./container-engine.js";

/** Of `GET /images/{name}/json`. */
export const imageAnswer = z
  .object({
    Id: z.string(),
    RepoDigests: z.array(z.string()).nullish(),
    Size: z.number(),
    Config: z.object({ Env: z.array(z.string()).nullish() }).nullish(),
  })
  .transform(({ Id, RepoDigests, Size, Config }): ImageStatus => ({
    id: Id,
    digests: RepoDigests ?? [],
    sizeBytes: Size,
    environment: Config?.Env ?? [],
  }));

const states = ["created", "running", "paused", "restarting", "removing", "exited", "dead"] as const;
const labels = z
  .record(z.string(), z.string())
  .nullish()
  .transform((found) => found ?? {});

/** Of `GET /containers/json`. */
export const summariesAnswer = z.array(
  z
    .object({ Id: z.string(), Names: z.array(z.string()).nullish(), Labels: labels, State: z.string() })
    .transform(({ Id, Names, Labels, State }): ContainerSummary => {
      // A link to it from another container is a name too, below that one's.
      const name = (Names ?? []).find((path) => path.lastIndexOf("/") === 0) ?? "";
      return { id: Id, name: name.slice(1), labels: Labels, running: isAlive(State) };
    }),
);

/** Of `GET /containers/{id}/json`. */
export const containerAnswer = z
  .object({
    Id: z.string(),
    Name: z.string(),
    Image: z.string(),
    RestartCount: z.number().default(0),
    State: z.object({
      Status: z.enum(states),
      Pid: z.number(),
      ExitCode: z.number(),
      OOMKilled: z.boolean().default(false),
      Error: z.string().default(""),
      StartedAt: z.string().default(""),
    }),
    Config: z.looseObject({ Image: z.string(), Labels: labels }),
    HostConfig: z.looseObject({}),
    NetworkSettings: z.object({ Networks: z.record(z.string(), z.unknown()).nullish() }).optional(),
  })
  .transform(({ State, Config, HostConfig, NetworkSettings, ...container }): ContainerStatus => ({
    id: container.Id,
    name: container.Name.replace(/^\//, ""),
    imageId: container.Image,
    state: State.Status,
    pid: State.Pid,
    exitCode: State.ExitCode,
    outOfMemory: State.OOMKilled,
    error: State.Error,
    startedAt: State.StartedAt.startsWith("0001-") ? "" : State.StartedAt,
    restarts: container.RestartCount,
    // The engine takes a container apart into what is in it, what the host gives it, and its networks.
    body: {
      ...Config,
      HostConfig,
      NetworkingConfig: { EndpointsConfig: namesOf(NetworkSettings?.Networks ?? {}) },
    } as unknown as ContainerBody,
  }));

/** Whether it is started, as far as those are concerned who would start or stop it. */
function isAlive(state: string): boolean {
  return state === "running" || state === "paused" || state === "restarting";
}

/** Without the addresses that a container has there, which are others with each start. */
function namesOf(networks: Readonly<Record<string, unknown>>): Record<string, object> {
  return Object.fromEntries(Object.keys(networks).map((name) => [name, {}]));
}
