/** Runner images as locks hold them, which tell on which hosts they run without the catalogue. Pure. */
import type { RunnerFile } from "../schema/runner.js";
import type { LockedRunnerImage } from "../schema/runner-image.js";
import type { RunnerImage } from "./runner-catalogue.js";
import { fitsOn, runnerHostOf } from "./runner-fit.js";
import { formatRunnerTag } from "./runner-name.js";
import type { RunnerFacts } from "./runner-resolution.js";
import type { RunnerOnHost } from "./runner-choice.js";

/** What a lock keeps of an image of the catalogue. */
export function lockRunnerImage(image: RunnerImage, { variants, hostRuntime }: RunnerFile): LockedRunnerImage {
  const { acceleratorType, acceleratorVersion, variant, service, serviceVersion } = image;
  const { platforms, computeCapabilities, llvmTargets } = image;
  const socs = variant === undefined ? undefined : variants?.[variant]?.socs;
  return {
    ...{ acceleratorType, acceleratorVersion, service, serviceVersion, platforms: [...platforms] },
    ...(variant === undefined ? {} : { variant }),
    ...(computeCapabilities === undefined ? {} : { computeCapabilities: [...computeCapabilities] }),
    ...(llvmTargets === undefined ? {} : { llvmTargets: [...llvmTargets] }),
    ...(socs === undefined ? {} : { socs }),
    comparable: hostRuntime.comparable,
  };
}

/** Whether a host can run an image that is locked. */
export function runsLocked(locked: LockedRunnerImage, facts: RunnerFacts): RunnerOnHost {
  const cannot = (reason: string): RunnerOnHost => ({ kind: "cannot", reason });
  const { acceleratorType: type, variant, socs, comparable } = locked;
  const devices = facts.accelerators.filter((device) => device.type === type);
  if (devices.length === 0) return cannot(`the host has no ${type} device`);
  const other = devices.find(({ soc = "unknown" }) => socs?.includes(soc) === false);
  if (other !== undefined)
    return cannot(`it is for ${variant ?? ""}, and the SoC of the host's devices is ${other.soc ?? "unknown"}`);
  const host = runnerHostOf(facts, devices, { comparable, variant });
  const fit = fitsOn(host, { service: locked.service })(imageOf(locked));
  if (fit.kind === "misfit") return cannot(fit.reason);
  if (fit.order !== "later") return { kind: "runs", isAbove: fit.order === "sameMajor", notes: fit.notes };
  return cannot(
    `its runtime, ${type} ${locked.acceleratorVersion}, is of a later major version than the host's ${host.runtime ?? ""}`,
  );
}

function imageOf(locked: LockedRunnerImage): RunnerImage {
  const { variant, computeCapabilities, llvmTargets, ...rest } = locked;
  const state = { rc: false, deprecated: false, polished: false, listed: true, published: true };
  const untold = { runtimeVersion: undefined, digest: undefined, warning: undefined, repository: "" };
  return { ...rest, variant, computeCapabilities, llvmTargets, tag: formatRunnerTag(locked), ...state, ...untold };
}
