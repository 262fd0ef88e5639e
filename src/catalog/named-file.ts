import type { BackendVersionEntry } from "../schema/backend.js";

/** A file beside a backend file. */
export interface NamedFile {
  readonly file: string;
  /** Where a version names it, below the version. */
  readonly path: readonly PropertyKey[];
}

/** The files that a version names: requirements, launchers and the keys of signers. Pure. */
export function namedFiles({
  install: { binary = [], pipx, image, runnerImage },
}: Pick<BackendVersionEntry, "install">) {
  const named: { file: string | undefined; path: readonly PropertyKey[] }[] = [
    { file: pipx?.requirements, path: ["install", "pipx", "requirements"] },
    { file: pipx?.launcher, path: ["install", "pipx", "launcher"] },
    ...binary.map(({ signature }, index) => ({
      file: signature?.key,
      path: ["install", "binary", index, "signature", "key"],
    })),
    { file: image?.signature?.key, path: ["install", "image", "signature", "key"] },
    { file: runnerImage?.signature?.key, path: ["install", "runnerImage", "signature", "key"] },
  ];
  return named.flatMap(({ file, path }): NamedFile[] => (file === undefined ? [] : [{ file, path }]));
}
