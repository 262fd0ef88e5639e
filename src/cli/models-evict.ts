import { assertOwn } from "../host/own-folder.js";
import { chooseEvictedModels, evictModel } from "../install/model-eviction.js";
import { formatBytes } from "../lib/format.js";
import type { Context } from "../resources/kind.js";
import { openContexts, openLeases } from "./contexts.js";
import { contextsOf, describeModels, onEachHost, readStack, surveyHost, type SurveyedStack } from "./model-survey.js";
import { modelTable, sizeOf } from "./models.js";
import { chooseStack, type Workplace } from "./workplace.js";

export interface EvictOptions {
  stack?: string;
  /** Without it nothing is removed, and what would be is shown. */
  yes?: boolean;
}

const nothing = "nothing is there that nobody wants";

/**
 * Removes models from the caches of a stack's hosts that no stack has there and no lock of the project wants there.
 * Each host is changed under its host lock, by what is there then.
 */
export async function evictModels(
  workplace: Workplace,
  named: string | undefined,
  options: EvictOptions,
): Promise<void> {
  const stack = await readStack(workplace, await chooseStack(workplace, options.stack), named);
  const { signal } = new AbortController();
  const contexts = contextsOf(stack, openContexts(workplace, signal));
  if (options.yes !== true) {
    await preview(workplace, contexts, stack);
    return;
  }
  const leases = await openLeases(workplace);
  const { done, assertAll } = await onEachHost(workplace, contexts, async (context) => {
    const { host, reference } = context;
    // Taking the host lock would make the folder.
    if ((await host.status(reference.dataDir)) === undefined) return 0;
    await assertOwn(host, reference.dataDir);
    let freedBytes = 0;
    await leases.use(host, reference, stack.owner, signal, async () => {
      for (const model of chooseEvictedModels(await surveyHost(context, stack))) {
        await evictModel(host, reference.dataDir, model);
        workplace.print(`${reference.name} ${model.sha256.slice(0, 12)} ${formatBytes(model.sizeBytes)} removed`);
        freedBytes += model.sizeBytes;
      }
    });
    return freedBytes;
  });
  const freedBytes = done.reduce((sum, bytes) => sum + bytes, 0);
  workplace.print(freedBytes === 0 ? nothing : `${formatBytes(freedBytes)} freed`);
  assertAll();
}

async function preview(workplace: Workplace, contexts: readonly Context[], stack: SurveyedStack): Promise<void> {
  const { done, assertAll } = await onEachHost(workplace, contexts, async (context) => {
    const survey = await surveyHost(context, stack);
    const evicted = new Set(chooseEvictedModels(survey).map(({ sha256 }) => sha256));
    const described = describeModels(survey, context.reference, stack);
    return described.filter(({ place, sha256 }) => place === "cache" && evicted.has(sha256));
  });
  const rows = done.flat();
  if (rows.length > 0) workplace.print(modelTable(rows));
  workplace.print(
    rows.length === 0 ? nothing : `${sizeOf(rows)} that nobody wants; nothing was removed, --yes does it`,
  );
  assertAll();
}
