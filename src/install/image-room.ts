/** Room for images on the disk of a host's engine. */
import type { Host } from "../host/host.js";
import { BerthError } from "../lib/errors.js";
import { formatBytes } from "../lib/format.js";
import type { ContainerEngine, PullOptions, PullProgress } from "../runtime/container-engine.js";

interface Room {
  readonly host: Pick<Host, "name" | "freeBytes">;
  /** Where the engine keeps images. */
  readonly folder: string;
  readonly freeBytes: number;
}

/**
 * Has the engine pull, and gives it up as soon as it tells of layers that are larger, packed, than what was free when it
 * began: that is before they are there. Layers that other images have brought count for nothing.
 *
 * @throws BerthError `disk-full` with what is free and what is needed, and what the engine's pull throws
 */
export async function pullWithinRoom(
  host: Pick<Host, "name" | "freeBytes" | "status">,
  engine: Pick<ContainerEngine, "pull" | "dataFolder">,
  reference: string,
  options: PullOptions,
): Promise<void> {
  const room = await findRoom(host, engine);
  if (room === undefined) return engine.pull(reference, options);
  const full = new AbortController();
  let neededBytes = 0;
  const onProgress = (progress: PullProgress): void => {
    neededBytes = progress.totalBytes;
    if (neededBytes > room.freeBytes) full.abort(diskFull(room, reference, room.freeBytes, neededBytes));
    else options.onProgress?.(progress);
  };
  const signal = options.signal === undefined ? full.signal : AbortSignal.any([full.signal, options.signal]);
  try {
    await engine.pull(reference, { ...options, onProgress, signal });
  } catch (error) {
    if (full.signal.aborted || !(error instanceof BerthError) || error.code !== "disk-full") throw error;
    // What was begun is gone again by now, so what was free before says more.
    throw diskFull(room, reference, room.freeBytes, neededBytes, error);
  }
}

/**
 * For layers that are sent to an engine, and of which one knows the sizes before.
 *
 * @throws BerthError `disk-full` when they are larger, packed, than what is free where the engine keeps images
 */
export async function assertRoom(
  host: Pick<Host, "name" | "freeBytes" | "status">,
  engine: Pick<ContainerEngine, "dataFolder">,
  reference: string,
  neededBytes: number,
): Promise<void> {
  const room = await findRoom(host, engine);
  if (room !== undefined && neededBytes > room.freeBytes) throw diskFull(room, reference, room.freeBytes, neededBytes);
}

/** Undefined for an engine whose images are elsewhere than on the host, as in a virtual machine. */
async function findRoom(
  host: Pick<Host, "name" | "freeBytes" | "status">,
  engine: Pick<ContainerEngine, "dataFolder">,
): Promise<Room | undefined> {
  const folder = await engine.dataFolder();
  if (folder === undefined || (await host.status(folder)) === undefined) return undefined;
  return { host, folder, freeBytes: await host.freeBytes(folder) };
}

function diskFull({ host, folder }: Room, image: string, free: number, needed: number, cause?: unknown): BerthError {
  return new BerthError("disk-full", {
    where: `host ${host.name}: ${folder}`,
    what: "no space is left on the disk of the Docker Engine",
    got: `${formatBytes(free)} free`,
    expected: `${formatBytes(needed)} for what is missing of ${image}, and more for what it unpacks to`,
    hint: "free some space there (`docker system df` on the host tells what takes it, `docker image prune` removes what nobody uses), and run it again",
    cause,
  });
}
