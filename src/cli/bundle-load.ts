import { resolve } from "node:path";

import { BundleFolder } from "../bundle/folder.js";
import { assertComplete, loadHost, type Loaded } from "../bundle/load.js";
import { assertOwn } from "../host/own-folder.js";
import { hostPython, pythonTag } from "../install/python.js";
import { BerthError } from "../lib/errors.js";
import { formatBytes } from "../lib/format.js";
import { needsOf, needsOn, type Needs } from "../lock/needs.js";
import { desiredStack } from "../planner/desired.js";
import type { Context } from "../resources/kind.js";
import { createLayerStore } from "../runtime/docker-images.js";
import type { BundleFile } from "../schema/bundle.js";
import type { LockFile } from "../schema/lock.js";
import { openDisplay } from "./bundle.js";
import { openContexts, openLeases } from "./contexts.js";
import { expectEnvironmentLock } from "./environment-lock.js";
import { readRequirements } from "./images.js";
import { untilInterrupted } from "./interrupts.js";
import { chooseStack, projectName, type Workplace } from "./workplace.js";

export interface LoadOptions {
  stack?: string;
  /** This host alone. */
  host?: string;
}

/** Brings what a stack's hosts need and lack from a bundle, one host after the other, each under its lock. */
export async function load(workplace: Workplace, path: string, options: LoadOptions): Promise<void> {
  const { root } = workplace;
  const stack = await chooseStack(workplace, options.stack);
  const lock = await expectEnvironmentLock(root, stack);
  const hosts = hostsOf(lock, root, options.host);
  const folder = new BundleFolder(resolve(path));
  const contents = await folder.readContents();
  const needs = needsOf(lock, await readRequirements(workplace, lock));
  for (const { name } of hosts) assertComplete(folder, contents, needsOn(needs, name));
  tellOther(workplace, contents, stack, lock);
  const signal = untilInterrupted();
  const contexts = openContexts(workplace, signal);
  const leases = await openLeases(workplace);
  for (const { host: reference } of hosts) {
    const context = contexts.of(reference, (text) => text);
    await assertOwn(context.host, reference.dataDir);
    await leases.use(context.host, reference, `${projectName(root)}/${stack}`, signal, async () => {
      const loaded = await loadOne(workplace, { folder, contents, context, needs: needsOn(needs, reference.name) });
      workplace.print(`${reference.name}: ${describeLoaded(loaded)}`);
    });
  }
}

interface OneLoad {
  readonly folder: BundleFolder;
  readonly contents: BundleFile;
  readonly context: Context;
  readonly needs: Needs;
}

async function loadOne(workplace: Workplace, { folder, contents, context, needs }: OneLoad): Promise<Loaded> {
  const { host, reference, signal } = context;
  const { tell, end } = openDisplay(workplace);
  return loadHost({
    ...{ folder, contents, needs, tell },
    place: { host, dataDir: reference.dataDir, signal },
    engine: context.containerEngine,
    store: createLayerStore(host),
    async findTag() {
      const find = async () => (await context.findPython()).python;
      return pythonTag(host, await hostPython({ host, dataDir: reference.dataDir, serial: context.serial, find }));
    },
  }).finally(end);
}

/** A bundle of another lock that has all that this one needs is as good; who loads it is told. */
function tellOther(workplace: Workplace, contents: BundleFile, stack: string, lock: LockFile): void {
  const own = Object.entries(lock.release);
  const isSame =
    own.length === Object.keys(contents.release).length && own.every(([name, { id }]) => contents.release[name] === id);
  if (isSame) return;
  const other = `${contents.stack} ${contents.lock.slice(0, 7)}`;
  workplace.note(`the bundle was made from another lock (${other}), and has all that ${stack} needs`);
}

function hostsOf(lock: LockFile, root: string, named: string | undefined) {
  const { hosts } = desiredStack(lock, root);
  const chosen = hosts.filter(({ name }) => named === undefined || name === named);
  if (chosen.length > 0 || named === undefined) return chosen;
  throw new BerthError("usage", {
    what: "the stack has no such host",
    got: named,
    expected: hosts.map(({ name }) => name).join(" or "),
  });
}

function describeLoaded({ images, files, sentBytes }: Loaded): string {
  const things = [...images, ...files];
  return things.length === 0 ? "has all that it needs" : `${formatBytes(sentBytes)} brought: ${things.join(", ")}`;
}
