/** How images get into a host's Docker Engine without a registry. */
import { Transform, type Readable } from "node:stream";

import { z } from "zod";

import { LineSplitter } from "../host/line-splitter.js";
import type { Host } from "../host/host.js";
import { BerthError } from "../lib/errors.js";
import { parseJson } from "../lib/json.js";
import { DockerApi, defaultDockerPace, lost, type DockerPace } from "./docker-api.js";
import { connectToDocker } from "./docker-engine.js";
import { explain } from "./docker-failure.js";
import { DockerFault } from "./docker-fault.js";

/** What an engine does with layers that it has. */
export interface LayerStore {
  /**
   * Digests of the unpacked layers of each image that the engine has, from the lowest. None where an archive has to
   * hold all layers of its images: with containerd's store, and with Podman.
   */
  listLayers(): Promise<readonly (readonly string[])[] | undefined>;
  /**
   * Loads an archive, as `docker save` writes it. The engine checks what it unpacks by the digests in the images'
   * configurations. Layers that it has may be missing in the archive, where it tells of layers.
   */
  load(archive: Readable, signal?: AbortSignal): Promise<void>;
  /** Removes an image that has no name. One that is not there, or is used, is fine. */
  forget(id: string): Promise<void>;
}

const imageIds = z.array(z.object({ Id: z.string() }));
const imageLayers = z.object({ RootFS: z.object({ Layers: z.array(z.string()).nullish() }).nullish() });
const storage = z.object({ DriverStatus: z.array(z.array(z.string())).nullish() });
const loadEvent = z.object({ error: z.string().optional() });

export function createLayerStore(host: Host, pace: DockerPace = defaultDockerPace): LayerStore {
  const api = new DockerApi(() => connectToDocker(host), pace);
  const tell = async <T>(action: () => Promise<T>): Promise<T> => {
    try {
      return await action();
    } catch (error) {
      throw error instanceof DockerFault ? explain(error, `host ${host.name}`) : error;
    }
  };
  return {
    listLayers: () => tell(() => listLayers(api)),
    load: (archive, signal) => tell(() => load(api, archive, signal)),
    forget: (id) =>
      tell(async () => {
        const path = `/images/${encodeURIComponent(id)}`;
        await api.repeat({ method: "DELETE", path, query: { noprune: "true" }, answers: [404, 409], waitSeconds: 240 });
      }),
  };
}

async function listLayers(api: DockerApi): Promise<string[][] | undefined> {
  const { Components } = await api.version();
  if (Components?.some(({ Name }) => Name === "Podman Engine") === true) return undefined;
  const { DriverStatus } = await api.get(storage, "/info");
  if (JSON.stringify(DriverStatus ?? []).includes("io.containerd.snapshotter")) return undefined;
  const ids = await api.get(imageIds, "/images/json", { all: "true" });
  const layers: string[][] = [];
  for (const { Id } of ids) {
    const call = { method: "GET", path: `/images/${encodeURIComponent(Id)}/json`, answers: [404] } as const;
    const { data } = imageLayers.safeParse(parseJson((await api.repeat(call)).text));
    layers.push(data?.RootFS?.Layers ?? []);
  }
  return layers;
}

/** Errors come as lines of the answer too, after the status 200. */
async function load(api: DockerApi, archive: Readable, signal?: AbortSignal): Promise<void> {
  const silent = new AbortController();
  const giveUp = () => silent.abort(new DockerFault({ kind: "late", seconds: api.pace.silenceSeconds }));
  const timer = setTimeout(giveUp, api.pace.silenceSeconds * 1000);
  const either = signal === undefined ? silent.signal : AbortSignal.any([silent.signal, signal]);
  const failed: string[] = [];
  const splitter = new LineSplitter((line) => {
    const { data } = loadEvent.safeParse(parseJson(line));
    if (data?.error !== undefined) failed.push(data.error);
  });
  const watched = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      timer.refresh();
      done(null, chunk);
    },
  });
  archive.on("error", (error) => watched.destroy(error));
  archive.pipe(watched);
  try {
    // Told of layers, one hears that it is not stuck.
    const query = { quiet: "0" };
    const body = await api.stream({ method: "POST", path: "/images/load", query, archive: watched }, either);
    for await (const chunk of body as AsyncIterable<Buffer>) {
      timer.refresh();
      splitter.write(chunk);
    }
    splitter.end();
  } catch (error) {
    throw archive.errored instanceof BerthError ? archive.errored : lost(error, either);
  } finally {
    clearTimeout(timer);
    archive.destroy();
  }
  const [message] = failed;
  if (message !== undefined) throw new DockerFault({ kind: "refused", status: undefined, message });
}
