/** What runs of a gateway that routes by model, compared with its files. Pure. */
import type { WorkerSight } from "./haproxy-control.js";
import type { ModelGatewayFiles } from "./model-gateway-configuration.js";
import { mapFile, mapNames } from "./model-gateway-rules.js";

/** `deployment:chat/chat-0:10.0.0.5:14000` */
export function serverText(server: string): string {
  const [proxy = "", name = ""] = server.split("/");
  const [instance = "", ...place] = name.split(":");
  return `${instance} of ${proxy.replace(/^deployment:/, "")} at ${place.join(":")}`;
}

/** What the two processes of a gateway say of themselves. */
export interface GatewaySight extends WorkerSight {
  /** The description of the process that reads large requests. */
  readonly large: string | undefined;
}

/** Whether both serve as the files say, and nobody has taken a server away from it by hand. */
export function isAs(sight: GatewaySight | undefined, files: ModelGatewayFiles): boolean {
  if (sight === undefined || hasAway(sight)) return false;
  if (sight.description !== files.version || sight.large !== files.largeVersion) return false;
  return mapChanges(sight, files).length === 0;
}

/** Servers that its checks do not find healthy, as `PROXY/SERVER`. */
export function namesOfUnhealthy({ health }: Pick<WorkerSight, "health">): string[] {
  return [...health].flatMap(([server, isHealthy]) => (isHealthy ? [] : [server]));
}

export function hasAway({ states }: WorkerSight): boolean {
  return [...states.values()].some((serves) => !serves);
}

/** What brings a worker's maps to those of the files; a key that changes is never without a value. */
export function mapChanges({ maps }: WorkerSight, files: ModelGatewayFiles): string[] {
  return mapNames.flatMap((name) => {
    const present = maps.get(mapFile(name)) ?? new Map<string, string>();
    const wanted = files.maps[name];
    const added = [...wanted].flatMap(([key, value]) => {
      if (present.get(key) === value) return [];
      return [`${present.has(key) ? "set" : "add"} map ${mapFile(name)} ${key} ${value}`];
    });
    const gone = [...present.keys()].filter((key) => !wanted.has(key));
    return [...added, ...gone.map((key) => `del map ${mapFile(name)} ${key}`)];
  });
}
