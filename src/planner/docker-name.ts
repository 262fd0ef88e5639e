/** Whose network or volume it is. Projects and stacks may have `_` and `.` in their names, hosts and keys have neither. */
export interface DockerOwner {
  readonly project: string;
  readonly stack: string;
  readonly host: string;
  readonly key: string;
}

/**
 * A name that nobody else gives, nor the same stack for another host: Docker hands out a volume that is there already as
 * if it were new, and hosts of two names may be one machine. Pure.
 */
export function dockerName({ project, stack, host, key }: DockerOwner): string {
  return ["berth", ...[project, stack, host, key].map(escaped)].join("_");
}

/** Without a `_` that could be taken for the separator. */
function escaped(part: string): string {
  return part.replaceAll(/[._]/g, (character) => `.${character}`);
}
