import type { ErrorParts } from "../../lib/errors.js";
import { formatGibibytes, formatMebibytes } from "../../lib/format.js";
import type { Amount, Refusal } from "./problem.js";

/** A refusal as people read it: what it needs, what the best host has, and what would make it fit. Pure. */
export function describeRefusal(refusal: Refusal): ErrorParts {
  const { deployment, replicas, option, reason, needs, best, remedies } = refusal;
  const which = replicas.length === 1 ? `replica ${replicas.join()} has` : `replicas ${replicas.join(", ")} have`;
  return {
    where: `deployment ${deployment}`,
    what: `${which} no place: ${reasons[reason]}`,
    got:
      best === undefined
        ? reason === "hosts"
          ? "fewer"
          : "no such host"
        : `host ${best.host} has ${describeBest(refusal)}`,
    expected: `${describeAmount(needs, sizeFormat(refusal))} (${option})`,
    hint: hintOf(refusal, remedies),
  };
}

const reasons: Readonly<Record<Refusal["reason"], string>> = {
  selector: "no host has the labels that are asked for",
  accelerator: "no host has enough accelerators of the kind",
  memory: "no host has enough free memory on its devices",
  ram: "the host that comes closest has too little RAM",
  instances: "the host that comes closest takes no more instances",
  apart: "the host that comes closest has a deployment that it is to be apart from",
  group: "no host has enough devices of one group with room",
  whole: "no host has enough devices that nothing else uses",
  hosts: "too few hosts have room at once",
};

/** What is in the way on the one host that came into question. */
export function describeLack(refusal: Refusal): string {
  const { reason, needs, option } = refusal;
  const needed = `needed are ${describeAmount(needs, sizeFormat(refusal))} (${option})`;
  const isRule = ["apart", "group", "instances"].includes(reason);
  if (isRule) return reasons[reason];
  if (reason === "hosts") return `alone it is not enough; ${needed}`;
  const whole = reason === "whole" ? ", too few of them unused" : "";
  return `it has ${describeBest(refusal)}${whole}; ${needed}`;
}

/** What the host that comes closest has of what is needed. */
function describeBest(refusal: Refusal): string {
  const { best, needs } = refusal;
  if (best === undefined) return "nothing of the kind";
  return describeAmount({ hosts: 1, ...best, ramBytes: needs.ramBytes === 0 ? 0 : best.ramBytes }, sizeFormat(refusal));
}

type SizeFormat = (bytes: number) => string;

/** So fine that what is needed and what there is do not read the same. */
function sizeFormat({ needs, best }: Refusal): SizeFormat {
  const has: Omit<Amount, "hosts"> = best ?? needs;
  const differences = [needs.bytesPerDevice - has.bytesPerDevice, needs.ramBytes - has.ramBytes];
  return differences.some((each) => each !== 0 && Math.abs(each) < 2 ** 30 / 10) ? formatMebibytes : formatGibibytes;
}

function describeAmount({ hosts, devices, bytesPerDevice, ramBytes }: Amount, format: SizeFormat): string {
  const parts = [
    ...(devices === 0 ? [] : [describeDevices(devices, bytesPerDevice, format)]),
    ...(ramBytes === 0 ? [] : [`${format(ramBytes)} of RAM`]),
  ];
  if (hosts === 1) return parts.length === 0 ? "no device for it" : parts.join(" and ");
  return [`${hosts} hosts`, ...(parts.length === 0 ? [] : [parts.join(" and ")])].join(" with ");
}

/** What is taken whole has no size. */
function describeDevices(devices: number, bytesPerDevice: number, format: SizeFormat): string {
  if (bytesPerDevice > 0) return `${devices} × ${format(bytesPerDevice)}`;
  return devices === 1 ? "1 device" : `${devices} devices`;
}

function hintOf(refusal: Refusal, remedies: readonly string[]): string {
  const { fitsAlone, needs, best, reason } = refusal;
  const format = sizeFormat(refusal);
  if (remedies.length > 0) return `${[...new Set(remedies)].join(", or ")}: then it fits`;
  const host = `add ${needs.hosts === 1 ? "a host with " : ""}${describeAmount(needs, format)}`;
  if (best === undefined && reason === "hosts") return host;
  if (best === undefined || reason === "selector") return `change \`hostSelector\`, or ${host}`;
  const missing = needs.bytesPerDevice - best.bytesPerDevice;
  const less = reason === "memory" ? `it lacks ${format(missing)} on each device; ` : "";
  return `${less}${fitsAlone ? "take another deployment off, or " : ""}${host}`;
}
