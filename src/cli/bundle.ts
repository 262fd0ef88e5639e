import { resolve } from "node:path";

import { createBundle, type Tell } from "../bundle/create.js";
import { BundleFolder, damaged } from "../bundle/folder.js";
import { planPush, pushImages, type Pushed } from "../bundle/push.js";
import { assertRegistry } from "../bundle/registry-name.js";
import { partsOf, verifyBundle } from "../bundle/verify.js";
import { gatherPython } from "../host/facts.js";
import { createOpenHost } from "../host/open.js";
import { createRegistryLogins, type FindRegistryLogin } from "../host/registry-login.js";
import { createContent } from "../install/content.js";
import { hostPython } from "../install/python.js";
import { formatBytes } from "../lib/format.js";
import { Serial } from "../lib/serial.js";
import { shown } from "../lib/shown.js";
import { needsOf, type Needs } from "../lock/needs.js";
import { createStackLogins } from "../lock/stack-login.js";
import type { BundleFile, ImagePlatform } from "../schema/bundle.js";
import type { LockFile } from "../schema/lock.js";
import { lockHolder } from "./contexts.js";
import { Display } from "./display.js";
import { expectEnvironmentLock } from "./environment-lock.js";
import { readRequirements } from "./images.js";
import { untilInterrupted } from "./interrupts.js";
import { findSecret } from "./lock.js";
import { chooseStack, packageRoot, projectName, type Workplace } from "./workplace.js";

export interface CreateOptions {
  stack?: string;
  out: string;
  platform?: (ImagePlatform | "all")[];
}

/** Makes a bundle of all that a stack's lock needs, or goes on with one. */
export async function create(workplace: Workplace, { stack: named, out, platform = [] }: CreateOptions): Promise<void> {
  const { environment, root } = workplace;
  const stack = await chooseStack(workplace, named);
  const lock = await expectEnvironmentLock(root, stack);
  const needs = needsOf(lock, await readRequirements(workplace, lock));
  const signal = untilInterrupted();
  const folder = new BundleFolder(resolve(out));
  const secretOf = (name: string) => findSecret(name, workplace, stack);
  const host = createOpenHost({ environment, projectRoot: root })({ name: "this machine", connection: "local" });
  const serial = new Serial();
  const find = async () => (await gatherPython(host)).python;
  const python = () => hostPython({ host, dataDir: folder.partial, serial, find });
  const content = createContent(packageRoot, root);
  const { tell, end } = openDisplay(workplace);
  const { newId, ...holder } = await lockHolder();
  const { contents, pruned } = await createBundle(folder, {
    ...{ stack, lock, needs, tell, findSecret: secretOf, defaultIndex: environment.PIP_INDEX_URL },
    platforms: platformsOf(platform),
    context: { host, content, serial, signal, python },
    asker: { findLogin: loginsOf(workplace, stack, lock), signal },
    maker: { ...holder, id: newId(), owner: `${projectName(root)}/${stack}` },
  }).finally(end);
  if (pruned > 0) workplace.note(`${pruned} files of an earlier bundle were removed`);
  for (const { of } of needs.executables)
    workplace.note(`not in the bundle: the executable of ${of}, put on hosts by hand`);
  for (const text of describeLacking(needs, contents)) workplace.note(text);
  workplace.print(`${shown(root, folder.path)}: ${describe(contents)}`);
}

const mostNamed = 5;

/** Packages for other systems are mostly among them; of one that a host needs it is better known now than there. */
function describeLacking({ packages }: Needs, contents: BundleFile): string[] {
  return packages.flatMap(({ of, requirements }) => {
    const own = contents.packages.filter((each) => each.requirements === requirements.sha256);
    return own.flatMap(({ platform, python, withoutWheel }) => {
      if (withoutWheel.length === 0) return [];
      const named = withoutWheel.slice(0, mostNamed).join(", ");
      const rest = withoutWheel.length > mostNamed ? `, and ${withoutWheel.length - mostNamed} more` : "";
      const hosts = python === undefined ? platform : `${platform} with Python ${python}`;
      return [`not in the bundle, as the index has no wheels of them for ${hosts}: ${named}${rest} of ${of}`];
    });
  });
}

function platformsOf(named: readonly (ImagePlatform | "all")[]): readonly ImagePlatform[] | "all" | undefined {
  if (named.includes("all")) return "all";
  return named.length === 0 ? undefined : named.filter((platform) => platform !== "all");
}

/** Reads all of a bundle. @throws BerthError `checksum-mismatch` after it has named all that is wrong */
export async function verify(workplace: Workplace, path: string): Promise<void> {
  const folder = new BundleFolder(resolve(path));
  const contents = await folder.readContents();
  const { tell, end } = openDisplay(workplace);
  const total = partsOf(contents).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const onProgress = (bytes: number) => tell("read", bytes, total);
  const problems = await verifyBundle(folder, contents, { onProgress, signal: untilInterrupted() }).finally(end);
  for (const problem of problems) workplace.print(problem);
  if (problems.length > 0) throw damaged(shown(workplace.root, folder.path), problems.slice(0, 1));
  workplace.print(`${shown(workplace.root, folder.path)}: ${describe(contents)}, all as their digests say`);
}

export interface PushOptions {
  stack?: string;
  registry: string;
  /** Whether tags that lead to other images are moved. */
  replace?: boolean;
}

/** Copies a bundle's images to a registry. What was done is told, also when something fails later. */
export async function push(workplace: Workplace, path: string, options: PushOptions): Promise<void> {
  const { stack: named, registry, replace: mayReplace = false } = options;
  assertRegistry(registry);
  const folder = new BundleFolder(resolve(path));
  const { images } = await folder.readContents();
  const stack = named === undefined ? undefined : await chooseStack(workplace, named);
  const lock = stack === undefined ? undefined : await expectEnvironmentLock(workplace.root, stack);
  const targets = planPush(images, { registry, mirrors: lock?.placement.registries ?? {} });
  const asker = { findLogin: loginsOf(workplace, stack, lock), signal: untilInterrupted() };
  const { tell, end } = openDisplay(workplace);
  const lines: string[] = [];
  const onPushed = (pushed: Pushed) => void lines.push(describePushed(pushed));
  try {
    await pushImages(folder, targets, { asker, mayReplace, tell, onPushed });
  } finally {
    end();
    for (const line of lines) workplace.print(line);
  }
  const rules = new Map(targets.flatMap(({ rule }) => (rule.isNew ? [[rule.from, rule.to] as const] : [])));
  if (rules.size === 0) return;
  workplace.note("a stack has them from there with:");
  workplace.note(`mirrors: { registries: { ${[...rules].map(([from, to]) => `"${from}": "${to}"`).join(", ")} } }`);
}

function describePushed({ target: { name, image }, sentBytes, movedFrom }: Pushed): string {
  const sent = `${name}@${image.digest} ${sentBytes === 0 ? "is there" : `${formatBytes(sentBytes)} sent`}`;
  return movedFrom === undefined ? sent : `${sent}, and its tag was moved from ${movedFrom}`;
}

export function describe({ images, files }: BundleFile): string {
  const bytes = partsOf({ images, files }).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const count = (number: number, one: string) => `${number} ${one}${number === 1 ? "" : "s"}`;
  return `${count(images.length, "image")} and ${count(files.length, "file")}, ${formatBytes(bytes)}`;
}

/** The logins that a stack's lock names, before those that this machine has. */
function loginsOf(workplace: Workplace, stack: string | undefined, lock: LockFile | undefined): FindRegistryLogin {
  const { environment, root } = workplace;
  const host = createOpenHost({ environment, projectRoot: root })({ name: "this machine", connection: "local" });
  const own = createRegistryLogins(environment, host);
  if (stack === undefined) return own;
  const logins = Object.entries(lock?.placement.registryLogins ?? {}).map(([registry, { username, password }]) => {
    return [registry, { username, password: { secret: password } }] as const;
  });
  return createStackLogins(Object.fromEntries(logins), (name) => findSecret(name, workplace, stack), own);
}

/** Bars on a terminal, else lines now and then. */
export function openDisplay(workplace: Workplace): { tell: Tell; end: () => void } {
  const display = new Display({
    isTerminal: process.stderr.isTTY,
    stream: process.stderr,
    print: (text) => workplace.note(text),
    now: () => performance.now() / 1000,
  });
  const tell: Tell = (text, current, total) =>
    display.event({ kind: "progress", subject: "", text, current, ...(total === undefined ? {} : { total }) });
  return { tell, end: () => display.close() };
}
