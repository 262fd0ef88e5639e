import { lookUp } from "../lib/record.js";
import type { HostSelector, Requirement } from "../schema/selector.js";

export type Labels = Readonly<Record<string, string>>;

/**
 * The parts of a selector that labels do not fit, as people read them; none where all fit. Pure. Meanings are those of
 * Kubernetes' set-based requirements: a missing label fits `notIn`.
 */
export function unmetBy(labels: Labels, selector: HostSelector): string[] {
  return Object.entries(selector)
    .filter(([label, requirement]) => !meets(lookUp(labels, label), requirement))
    .map(([label, requirement]) => describeRequirement(label, requirement));
}

function meets(value: string | undefined, requirement: Requirement): boolean {
  if (typeof requirement === "string") return value === requirement;
  if (Array.isArray(requirement)) return value !== undefined && requirement.includes(value);
  if ("exists" in requirement) return (value !== undefined) === requirement.exists;
  return value === undefined || !requirement.notIn.includes(value);
}

/** `os=linux, gpu in (h100, h200)` */
export function describeSelector(selector: HostSelector): string {
  return Object.entries(selector)
    .map(([label, requirement]) => describeRequirement(label, requirement))
    .join(", ");
}

function describeRequirement(label: string, requirement: Requirement): string {
  if (typeof requirement === "string") return `${label}=${requirement}`;
  if (Array.isArray(requirement)) return `${label} in (${requirement.join(", ")})`;
  if ("exists" in requirement) return requirement.exists ? `${label} there` : `${label} not there`;
  return `${label} not in (${requirement.notIn.join(", ")})`;
}
