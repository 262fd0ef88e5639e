/** What of a lock is on a host. Pure. */
interface Thing {
  readonly name: string;
  readonly host: { readonly name: string };
}

/** `Kind/name` of everything on a host, in order. @param kinds things by the kinds of their resources */
export function inventoryOf(host: string, kinds: Readonly<Record<string, readonly Thing[]>>): string[] {
  return Object.entries(kinds)
    .flatMap(([kind, things]) =>
      things.filter((thing) => thing.host.name === host).map(({ name }) => `${kind}/${name}`),
    )
    .sort();
}
