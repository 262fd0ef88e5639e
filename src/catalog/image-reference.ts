/** The parts of a container image's name. */
export interface ImageReference {
  /** Registry and repository: `registry.example.net/team/engine`. */
  readonly name: string;
  /** The repository without its registry: `team/engine`; of Docker Hub's own images without `library/`. */
  readonly repository: string;
  readonly tag: string | undefined;
  /** `sha256:` and 64 digits. */
  readonly digest: string | undefined;
}

/**
 * Takes an image's name apart. Its first part is a registry if it looks like a host: with a dot or a port, or
 * `localhost`. The name is not checked.
 */
export function parseImageReference(reference: string): ImageReference {
  const [named = "", digest] = reference.split("@", 2);
  const colon = named.indexOf(":", named.lastIndexOf("/") + 1);
  const name = colon < 0 ? named : named.slice(0, colon);
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  const hasRegistry = /[.:]/.test(first) || first === "localhost";
  const path = hasRegistry ? name.slice(slash + 1) : name;
  return {
    name,
    repository: path.replace(/^library\/(?=[^/]+$)/, ""),
    tag: colon < 0 ? undefined : named.slice(colon + 1),
    digest,
  };
}
