import { lookUp } from "../lib/record.js";
import type { Accelerator, HostFacts } from "../schema/facts.js";
import type { RunnerFile } from "../schema/runner.js";
import type { RunnerCatalogue, RunnerImage } from "./runner-catalogue.js";
import { fitsOn, runnerHostOf, type RunnerFit, type RunnerHost, type RunnerRequest } from "./runner-fit.js";
import { ordersOf, type RunnerOrders } from "./runner-order.js";
import { compareVersions } from "./version.js";

/** Which is preferred of the images that run: the newest runtime, or the newest service. */
export type RunnerPolicy = "newestRuntime" | "newestService";

/** An image that was not taken, and why. */
export interface PassedOver {
  readonly image: RunnerImage;
  readonly reason: string;
}

export type RunnerResolution =
  | {
      readonly kind: "resolved";
      readonly image: RunnerImage;
      /** Why it, in one sentence. */
      readonly reason: string;
      /** What whoever takes it should know. */
      readonly notes: readonly string[];
      readonly others: readonly PassedOver[];
    }
  | {
      readonly kind: "refused";
      readonly reason: string;
      /** What would have to be there. */
      readonly needed?: string;
      readonly others: readonly PassedOver[];
    };

export interface RunnerQuestion extends RunnerRequest {
  /** Where a host has devices of several types. */
  readonly acceleratorType?: string | undefined;
  readonly policy?: RunnerPolicy | undefined;
}

/** An image, and whether a host can run it. */
export type LookedAt = RunnerImage & { readonly fit: RunnerFit };

type Candidate = RunnerImage & { readonly fit: RunnerFit & { readonly kind: "fits" } };

/** The images of a service as a host sees them, in the order in which they are listed. */
export interface RunnerView {
  readonly kind: "view";
  readonly file: RunnerFile;
  readonly host: RunnerHost;
  readonly looked: readonly LookedAt[];
}

/**
 * The runner image that a host is to run for a service. Of those that its devices can run: the newest runtime that is
 * not above the host's, else the newest of the host's major version, else none; in it the newest service. The order is
 * GPUStack's, which goes on to images that cannot run. Images of which nobody knows whether they have code for the
 * devices come after all that are known to.
 */
export function resolveRunner(
  catalogue: RunnerCatalogue,
  facts: RunnerFacts,
  question: RunnerQuestion,
): RunnerResolution {
  const view = viewImages(catalogue, facts, question);
  if (view.kind === "refused") return view;
  const { looked, host } = view;
  const fitting = looked.filter((image): image is Candidate => image.fit.kind === "fits");
  const [best] = [...runnable(fitting)].sort(preferenceOf(question.policy, ordersOf(looked)));
  const others = looked
    .filter((image) => image !== best)
    .map((image) => ({ image: withoutFit(image), reason: passedOver(image, best, host) }));
  if (best === undefined) return { kind: "refused", ...refusalOf(view, question), others };
  const chosen = withoutFit(best);
  const can = best.fit.isKnown && looked.some(isDoubtful) ? "is known to run" : "can run";
  return {
    kind: "resolved",
    image: chosen,
    reason: reasonOf(best, host, question, can),
    notes: best.fit.notes,
    others,
  };
}

/** What of a host decides which images it can run. */
export type RunnerFacts = Pick<HostFacts, "os" | "arch" | "accelerators">;

/** Whether a host can run each image of a service; refused where it can run none whatever the images are. */
export function viewImages(
  { files, images }: RunnerCatalogue,
  facts: RunnerFacts,
  question: RunnerQuestion,
): RunnerView | (RunnerResolution & { readonly kind: "refused" }) {
  const refuse = (reason: string) => ({ kind: "refused" as const, reason, others: [] });
  const types = [...new Set(facts.accelerators.map(({ type }) => type))].filter((type) => Object.hasOwn(files, type));
  const { acceleratorType = types[0], service } = question;
  if (acceleratorType === undefined) return refuse("the host has no accelerator that there are runner images for");
  const file = lookUp(files, acceleratorType);
  const devices = facts.accelerators.filter(({ type }) => type === acceleratorType);
  if (file === undefined || devices.length === 0) return refuse(`the host has no ${acceleratorType} device`);
  if (question.acceleratorType === undefined && types.length > 1)
    return refuse(`the host has devices of several types (${types.join(", ")}), and it is not said which are meant`);
  if (!Object.hasOwn(file.services, service)) return refuse(`there are no images of ${service} for ${file.name}`);
  const variant = variantOf(file, devices, question.variant);
  if ("reason" in variant) return refuse(variant.reason);
  const host = runnerHostOf(facts, devices, { comparable: file.hostRuntime.comparable, variant: variant.name });
  const offered = images.filter((image) => image.acceleratorType === acceleratorType && image.service === service);
  const fit = fitsOn(host, question);
  const looked = [...offered].sort(ordersOf(offered).asListed).map((image) => ({ ...image, fit: fit(image) }));
  return { kind: "view", file, host, looked };
}

/** Those that are known to have code for the devices, else all. */
function runnable(fitting: readonly Candidate[]): readonly Candidate[] {
  const known = nearest(fitting.filter(({ fit }) => fit.isKnown));
  return known.length > 0 ? known : nearest(fitting);
}

/** Those not above the host; else those of the newest runtime of its major version; all where nothing is known of it. */
function nearest(fitting: readonly Candidate[]): readonly Candidate[] {
  const of = (...orders: readonly string[]) => fitting.filter(({ fit }) => orders.includes(fit.order));
  const covered = of("covered", "unknown");
  return covered.length > 0 ? covered : of("sameMajor");
}

/** The better one first, of images that can run. */
export function preferenceOf(
  policy: RunnerPolicy = "newestRuntime",
  { byRuntime, byService }: RunnerOrders,
): (a: RunnerImage, b: RunnerImage) => number {
  return policy === "newestRuntime"
    ? (a, b) => byRuntime(a, b) || byService(a, b)
    : (a, b) => byService(a, b) || byRuntime(a, b);
}

/** Whether it fits, and nobody knows whether it has code for the devices. */
function isDoubtful({ fit }: LookedAt): boolean {
  return fit.kind === "fits" && fit.order !== "later" && !fit.isKnown;
}

function reasonOf(
  { fit, ...image }: Candidate,
  host: RunnerHost,
  { policy }: RunnerQuestion,
  can: "can run" | "is known to run",
): string {
  const runtime = `${image.acceleratorType} ${image.acceleratorVersion}`;
  const first =
    policy === "newestService" ? `the newest ${image.service} that ${can}` : `the newest runtime that ${can}`;
  switch (fit.order) {
    case "covered":
      return `${first}; ${runtime} is not above the host's ${host.runtime ?? ""}`;
    case "sameMajor":
      return `${first}; ${runtime} is above the host's ${host.runtime ?? ""}, of the same major version, and nothing is not above it`;
    case "later":
    case "unknown":
      return first;
  }
}

function passedOver(image: LookedAt, best: LookedAt | undefined, host: RunnerHost): string {
  const { fit } = image;
  if (fit.kind === "misfit") return fit.reason;
  const above = `its runtime is above the host's ${host.runtime ?? ""}`;
  if (fit.order === "later" || best === undefined) return above;
  if (isDoubtful(image) && !isDoubtful(best)) return describeDoubt(best);
  if (fit.order === "sameMajor" && compareVersions(image.acceleratorVersion, best.acceleratorVersion) > 0) return above;
  return `${best.tag} is preferred`;
}

/** Why an image is not taken of which nobody knows whether it has code for the devices. */
export function describeDoubt({ tag }: RunnerImage): string {
  return `nobody knows whether it runs, and ${tag} is known to`;
}

/** Why none can run, and what would have to be there. */
export function refusalOf(
  { looked, file, host }: RunnerView,
  { service, serviceVersion }: RunnerQuestion,
): { readonly reason: string; readonly needed?: string } {
  const fitting = looked.filter(({ fit }) => fit.kind === "fits");
  const what = [service, serviceVersion?.text].filter((part) => part !== undefined).join(" ");
  const oldest = fitting.map((image) => image.acceleratorVersion).sort((a, b) => compareVersions(a, b))[0];
  if (oldest === undefined) return { reason: `no image of ${what} for ${file.name} can run on the host` };
  return {
    reason: `all images of ${what} that its devices could run are of a later major version than the host's ${host.runtime ?? ""}`,
    needed: `${file.name} ${oldest} or newer on the host`,
  };
}

function variantOf(
  { variants, name }: RunnerFile,
  devices: readonly Accelerator[],
  asked: string | undefined,
): { readonly name: string | undefined } | { readonly reason: string } {
  if (variants === undefined) return asked === undefined ? { name: asked } : { reason: `${name} has no variants` };
  const known = Object.keys(variants).join(", ");
  if (asked !== undefined)
    return Object.hasOwn(variants, asked)
      ? { name: asked }
      : { reason: `${name} has no variant ${asked}, only ${known}` };
  const socs = [...new Set(devices.map(({ soc }) => soc ?? "unknown"))];
  const found = new Set(socs.map((soc) => Object.keys(variants).find((each) => variants[each]?.socs.includes(soc))));
  const [variant] = found;
  if (found.size > 1)
    return { reason: `the host has devices of several SoCs (${socs.join(", ")}), for which one image does not do` };
  if (variant === undefined) return { reason: `there is no variant for SoC ${socs.join(", ")}, only ${known}` };
  return { name: variant };
}

/** An image alone, as the catalogue has it. */
export function withoutFit({ fit: _, ...image }: LookedAt): RunnerImage {
  return image;
}
