/** Where images are instead of their public registries. Pure. */
import { parseImageReference } from "./image-reference.js";

/** Registries, or folders of them, and what takes their place; a value is a registry and mostly a folder in it. */
export type RegistryMirrors = Readonly<Record<string, string>>;

const dockerHub = "docker.io";
const otherNames = ["index.docker.io", "registry-1.docker.io"];

/**
 * The image's name at the mirror of its registry; itself where nothing mirrors it. Of several that fit the longest
 * counts. Tag and digest stay: a digest names the same image wherever it is.
 */
export function mirrorImage(reference: string, mirrors: RegistryMirrors = {}): string {
  const { name } = parseImageReference(reference);
  const full = fullName(name);
  const fitting = Object.keys(mirrors).filter((place) => full === place || full.startsWith(`${place}/`));
  const [longest] = fitting.sort((a, b) => b.length - a.length);
  const mirror = longest === undefined ? undefined : mirrors[longest];
  if (longest === undefined || mirror === undefined) return reference;
  return `${mirror}${full.slice(longest.length)}${reference.slice(name.length)}`;
}

/** Where an image is pulled from: `registry.example.net:5000`; without one in its name it is `docker.io`. */
export function registryOf(reference: string): string {
  return fullName(parseImageReference(reference).name).replace(/\/.*$/, "");
}

/** `ubuntu` is `docker.io/library/ubuntu`. */
function fullName(name: string): string {
  const [first = "", ...rest] = name.split("/");
  const hasRegistry = rest.length > 0 && (/[.:]/.test(first) || first === "localhost");
  const registry = !hasRegistry || otherNames.includes(first) ? dockerHub : first;
  const path = hasRegistry ? rest : [first, ...rest];
  const inFolder = registry === dockerHub && path.length === 1 ? ["library", ...path] : path;
  return [registry, ...inFolder].join("/");
}
