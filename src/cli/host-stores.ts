import { surveyStore, type WantedImage } from "../install/store-survey.js";
import { withinSeconds } from "../lib/deadline.js";
import { desiredStack, type DesiredBackendVersion } from "../planner/desired.js";
import type { HostStore, HostStores } from "../planner/report/stores.js";
import type { LockFile } from "../schema/lock.js";
import { openContexts } from "./contexts.js";
import type { Workplace } from "./workplace.js";

/** All that is asked of one host, an engine that hangs included, takes less. */
const lookSeconds = 90;

/** Looks at all hosts of a lock at once; those that do not answer are left out. */
export async function lookAtStores(workplace: Workplace, lock: LockFile): Promise<HostStores> {
  const { hosts, backendVersions } = desiredStack(lock, workplace.root);
  const looked = await Promise.all(
    hosts.map(async ({ name, host: reference }): Promise<(readonly [string, HostStore])[]> => {
      const images = backendVersions.filter(({ host }) => host.name === name).flatMap(imageOf);
      const look = async (signal: AbortSignal) => {
        const { host, containerEngine } = openContexts(workplace, signal).of(reference, (text) => text);
        return surveyStore({ host, dataDir: reference.dataDir, images, engine: containerEngine });
      };
      try {
        return [[name, await withinSeconds(lookSeconds, look)]];
      } catch {
        // The look at the host itself tells why.
        return [];
      }
    }),
  );
  return Object.fromEntries(looked.flat());
}

function imageOf({ install, image }: DesiredBackendVersion): WantedImage[] {
  if (install.method !== "image") return [];
  return [{ image: install, from: image?.pullFrom ?? install.reference }];
}
