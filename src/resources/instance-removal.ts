/** Takes away all that an instance has on its host. */
import { isSameHolder } from "../host/claim-conflict.js";
import { releaseClaims } from "../host/claims.js";
import { readRunner } from "../runtime/runner-files.js";
import { runnerId } from "../runtime/runner-id.js";
import { runtimes } from "../runtime/supervisor.js";
import { findGenerations, generationFolder, instanceFolder, readRecord } from "./instance-files.js";
import type { Generation } from "./instance-plan.js";
import type { Context, Operation, RemovalKey } from "./kind.js";

/** Stops its runners, and gives back its files, its ports and its devices. Nothing there is fine. */
export async function removeInstance(
  context: Context,
  operation: Operation,
  { owner, name }: Pick<RemovalKey, "owner" | "name">,
): Promise<void> {
  const { host, reference } = context;
  const folder = instanceFolder(reference.dataDir, owner, name);
  const { startSeconds = 0, stopSeconds = 10 } = (await readRecord(host, folder)) ?? {};
  const supervisors = runtimes.map((runtime) => context.supervisor(runtime));
  const generations = await findGenerations(host, folder, supervisors);
  const keepers = await keepersOf(context, folder, generations);
  const gateway = context.gateway(owner);
  if ((await gateway.listeners())?.some(({ instance }) => instance === name) === true)
    await operation.step("close its port at the gateway", () => gateway.close(name));
  for (const generation of generations) {
    await operation.step("stop the runner", async () => {
      const place = { id: runnerId(folder, generation), folder: generationFolder(folder, generation) };
      for (const supervisor of keepers) await supervisor.remove({ ...place, startSeconds, stopSeconds });
    });
  }
  await operation.step("remove its files", async () => {
    await host.remove(folder);
    const claims = { host, dataDir: reference.dataDir, seen: operation.seenClaims };
    await releaseClaims(claims, (holder) => isSameHolder(holder, { owner, instance: name }));
    for (const supervisor of keepers) await supervisor.retire();
  });
}

/** What may keep a runner of the instance: containers that tell of themselves, and no other runner, are Docker's alone. */
async function keepersOf({ host, supervisor }: Context, folder: string, generations: readonly Generation[]) {
  const runners = await Promise.all(
    generations.map((generation) => readRunner(host, generationFolder(folder, generation))),
  );
  const areContainers = runners.length > 0 && runners.every((runner) => runner?.container !== undefined);
  return (areContainers ? (["docker"] as const) : runtimes).map((runtime) => supervisor(runtime));
}
