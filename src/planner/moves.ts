/** Replicas that another placement has elsewhere. Pure. */
interface Placed {
  readonly host: string;
  readonly devices: readonly string[];
  /** What it has on other hosts. */
  readonly subordinates?: readonly (Omit<Placed, "subordinates"> & { readonly ray?: string | undefined })[] | undefined;
}

export interface Move {
  readonly replica: string;
  /** Host and devices; undefined for one that is new. */
  readonly from: string | undefined;
  /** Undefined for one that is gone. */
  readonly to: string | undefined;
}

/** By the names of instances, those that move, come or go. */
export function findMoves(
  before: Readonly<Record<string, Placed>>,
  after: Readonly<Record<string, Placed>>,
): readonly Move[] {
  const names = [...new Set([...Object.keys(after), ...Object.keys(before)])];
  return names.flatMap((replica) => {
    const [from, to] = [placeOf(before[replica]), placeOf(after[replica])];
    return from === to ? [] : [{ replica, from, to }];
  });
}

function placeOf(placed: Placed | undefined): string | undefined {
  if (placed === undefined) return undefined;
  // The head of a Ray cluster is where the instance is.
  const others = (placed.subordinates ?? []).filter(({ ray }) => ray !== "head");
  return [placed, ...others].map(({ host, devices }) => [host, ...devices].join(" ")).join(" + ");
}
