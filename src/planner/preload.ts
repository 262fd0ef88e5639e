/** Where that lies which no deployment wants yet. Pure. */
import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import type { LockedPreload, PlacedPreload } from "../schema/lock.js";
import type { PreloadEntry } from "../schema/preload.js";
import { assertContainers } from "./container-host.js";
import { labelsOf, type HostChoice } from "./host-choice.js";
import { describeSelector, unmetBy } from "./selector.js";

/**
 * The hosts of an entry: those it names, else all that have the labels asked for.
 *
 * @throws BerthError `stack-inconsistent` when there are none, or one that is named does not have the labels
 */
export function choosePreloadHosts(choice: HostChoice, name: string, entry: PreloadEntry): string[] {
  const all = Object.keys(choice.stack.hosts).sort();
  const unknown = entry.hosts?.find((host) => !all.includes(host));
  if (unknown !== undefined)
    throw inconsistent(name, "the stack has no such host", unknown, all.join(", "), "correct `hosts`");
  const wanted = entry.hostSelector ?? choice.selector;
  const named = [...new Set(entry.hosts ?? all)].sort();
  const unfit = named.filter((host) => unmetBy(labelsOf(choice, host), wanted).length > 0);
  const fitting = named.filter((host) => !unfit.includes(host));
  if (fitting.length > 0 && (entry.hosts === undefined || unfit.length === 0)) return fitting;
  const what = "no host has the labels that are asked for, or one that is named lacks them";
  const hint = "correct `hosts`, or say which labels count with `hostSelector`";
  throw inconsistent(name, what, unfit.join(", "), describeSelector(wanted), hint);
}

/** What lies ready, on its hosts; undefined for a stack that preloads nothing. */
export function placePreload(
  choice: Omit<HostChoice, "selector">,
  locked: Readonly<Record<string, LockedPreload>>,
): Record<string, PlacedPreload> | undefined {
  const placed = Object.entries(choice.stack.preload)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, entry]) => {
      const hosts = choosePreloadHosts({ ...choice, selector: {} }, name, entry);
      const engine = lookUp(locked, name)?.engine;
      if (engine?.install.method === "image") {
        for (const host of hosts) assertContainers(choice.hosts[host]?.facts, engine, `preload ${name}`, host);
      }
      const { model } = entry;
      const token = model?.source === "huggingface" ? model.token?.secret : undefined;
      return [name, { hosts, ...(token === undefined ? {} : { modelToken: token }) }] as const;
    });
  return placed.length === 0 ? undefined : Object.fromEntries(placed);
}

function inconsistent(name: string, what: string, got: string, expected: string, hint: string): BerthError {
  return new BerthError("stack-inconsistent", { where: `preload ${name}`, what, got, expected, hint });
}
