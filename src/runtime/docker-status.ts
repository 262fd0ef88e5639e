import { z } from "zod";

import type { ContainerBody } from "./container-body.js";
import type { ContainerEnd, ContainerStatus, ContainerSummary, ImageStatus } from "./container-engine.js";

/** Of `GET /images/{name}/json`. */
export const imageAnswer = z
  .object({
    Id: z.string(),
    RepoDigests: z.array(z.string()).nullish(),
    Size: z.number(),
    Config: z.object({ Env: z.array(z.string()).nullish(), Entrypoint: z.array(z.string()).nullish() }).nullish(),
  })
  .transform(({ Id, RepoDigests, Size, Config }): ImageStatus => ({
    id: Id,
    digests: RepoDigests ?? [],
    sizeBytes: Size,
    environment: Config?.Env ?? [],
    entrypoint: Config?.Entrypoint ?? undefined,
  }));

/** Of `GET /info`: where images are kept, which is another place where containerd keeps them for the engine. */
export const infoAnswer = z
  .object({ DockerRootDir: z.string(), DriverStatus: z.array(z.array(z.string())).nullish() })
  .transform(({ DockerRootDir, DriverStatus }) =>
    JSON.stringify(DriverStatus ?? []).includes("io.containerd.snapshotter") ? undefined : DockerRootDir,
  );

const states = ["created", "running", "paused", "restarting", "removing", "exited", "dead"] as const;
const labels = z
  .record(z.string(), z.string())
  .nullish()
  .transform((found) => found ?? {});

/** Of `GET /containers/json`. */
export const summariesAnswer = z.array(
  z
    .object({
      Id: z.string(),
      Names: z.array(z.string()).nullish(),
      Labels: labels,
      State: z.string(),
      Ports: z.array(z.object({ PublicPort: z.number().optional(), Type: z.string().optional() })).nullish(),
    })
    .transform(({ Id, Names, Labels, State, Ports }): ContainerSummary => {
      // A link to it from another container is a name too, below that one's.
      const name = (Names ?? []).find((path) => path.lastIndexOf("/") === 0) ?? "";
      const published = (Ports ?? []).filter(({ Type = "tcp" }) => Type === "tcp");
      const ports = published.flatMap(({ PublicPort: port }) => (port === undefined || port === 0 ? [] : [port]));
      return { id: Id, name: name.slice(1), labels: Labels, running: isAlive(State), ports: [...new Set(ports)] };
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

/** A line of the answer of `GET /events`, about a container. */
const endEvent = z.object({
  Action: z.string(),
  Actor: z.object({ Attributes: z.object({ exitCode: z.coerce.number().optional() }) }),
});

/** The last end that the events of a container tell of. Memory that ran out is told before the end that it brought. */
export function readLastEnd(text: string): ContainerEnd | undefined {
  let end: ContainerEnd | undefined;
  let outOfMemory = false;
  for (const line of text.split("\n").filter((each) => each !== "")) {
    const { Action, Actor } = endEvent.parse(JSON.parse(line));
    if (Action === "oom") outOfMemory = true;
    if (Action !== "die") continue;
    end = { exitCode: Actor.Attributes.exitCode ?? 0, outOfMemory };
    outOfMemory = false;
  }
  return end;
}

/** Of a time as engines tell it, `2026-01-31T12:00:00.123456789Z`, with all its digits. */
export function unixSeconds(time: string): string {
  const [, fraction = ""] = /(\.\d+)/.exec(time) ?? [];
  return `${Math.floor(Date.parse(time) / 1000)}${fraction}`;
}

/** Whether it is started, as far as those are concerned who would start or stop it. */
function isAlive(state: string): boolean {
  return state === "running" || state === "paused" || state === "restarting";
}

/** Without the addresses that a container has there, which are others with each start. */
function namesOf(networks: Readonly<Record<string, unknown>>): Record<string, object> {
  return Object.fromEntries(Object.keys(networks).map((name) => [name, {}]));
}
