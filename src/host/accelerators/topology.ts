/** Where an accelerator is among the others of its host. */
export interface Place {
  readonly linkGroup?: number;
  readonly pcieGroup?: number;
  readonly numaNode?: number;
}

/** A pair of accelerators, by index, that something joins. */
export type Pair = readonly [number, number];

/** nvidia-smi underlines the header, seen on a terminal or not. */
const escapes = /\u001b\[[0-9;]*m/g;
const devicePattern = /^(?:GPU|NPU|PPU)(\d{1,4})$/;

/** NV18: NVLink. HCCS and SIO: Ascend's. MX: MetaXLink. */
const linkKinds = /^(?:NV\d+|HCCS(?:_SW)?|SIO|MX)$/;
/** At most PCIe switches between: traffic does not cross a host bridge. */
const switchKinds = /^(?:PIX|PXB)$/;

/**
 * Reads the matrix of `nvidia-smi topo -m`, which other vendors print too. Source of the kinds: the legend below it.
 * Rows that do not fit the header are left out.
 */
export function readTopology(text: string): Map<number, Place> {
  const rows = text
    .replace(escapes, "")
    .split("\n")
    .map((line) => line.trim().split(/\s+/));
  const header = rows.find(([first, second]) => devicePattern.test(first ?? "") && !isCell(second));
  if (header === undefined) return new Map();
  const firstOther = header.findIndex((word) => /^(?:CPU|NUMA|GPU|Node)$/.test(word));
  const peers = firstOther < 0 ? header : header.slice(0, firstOther);
  // CPU affinity, then the NUMA node; MetaX has them the other way round, and says "Node Affinity".
  const nodeColumn = 1 + peers.length + (header[peers.length] === "Node" ? 0 : 1);
  const links: Pair[] = [];
  const switches: Pair[] = [];
  const numaNodes = new Map<number, number | undefined>();
  for (const row of rows) {
    const index = deviceIndex(row[0]);
    const cells = row.slice(1, 1 + peers.length);
    if (index === undefined || row === header || cells.length < peers.length || !cells.every(isCell)) continue;
    for (const [column, cell] of cells.entries()) {
      const peer = deviceIndex(peers[column]);
      if (peer === undefined) continue;
      if (linkKinds.test(cell)) links.push([index, peer]);
      if (switchKinds.test(cell)) switches.push([index, peer]);
    }
    // A list of nodes is no node.
    const node = row[nodeColumn] ?? "";
    numaNodes.set(index, /^\d{1,4}$/.test(node) ? Number(node) : undefined);
  }
  return placesOf(numaNodes, links, switches);
}

/** The places of accelerators by their NUMA nodes and by what joins them; groups are numbered by their lowest index. */
export function placesOf(
  numaNodes: ReadonlyMap<number, number | undefined>,
  links: readonly Pair[],
  switches: readonly Pair[],
): Map<number, Place> {
  const linkGroups = groupsOf(links);
  const pcieGroups = groupsOf(switches);
  const indices = [...numaNodes.keys()].sort((a, b) => a - b);
  return new Map(
    indices.map((index) => {
      const linkGroup = linkGroups.get(index);
      const pcieGroup = pcieGroups.get(index);
      const numaNode = numaNodes.get(index);
      const place = {
        ...(linkGroup === undefined ? {} : { linkGroup }),
        ...(pcieGroup === undefined ? {} : { pcieGroup }),
        ...(numaNode === undefined ? {} : { numaNode }),
      };
      return [index, place];
    }),
  );
}

/** The number of the connected group of each index that is in a pair with another. */
function groupsOf(pairs: readonly Pair[]): Map<number, number> {
  const members = new Map<number, Set<number>>();
  for (const [one, other] of pairs) {
    if (one === other) continue;
    const joined = new Set([one, other, ...(members.get(one) ?? []), ...(members.get(other) ?? [])]);
    for (const index of joined) members.set(index, joined);
  }
  const groups = [...new Set(members.values())].sort((a, b) => Math.min(...a) - Math.min(...b));
  return new Map(groups.flatMap((group, number) => [...group].map((index) => [index, number] as const)));
}

/** `X`, `NV18`, `PIX`: words that a cell of the matrix holds. */
function isCell(word: string | undefined): boolean {
  return /^(?:X|NV\d+|PIX|PXB|PHB|NODE|SYS|SOC|HCCS(?:_SW)?|SIO|MX|C2C|N\/A)$/.test(word ?? "");
}

function deviceIndex(word: string | undefined): number | undefined {
  const digits = devicePattern.exec(word ?? "")?.[1];
  return digits === undefined ? undefined : Number(digits);
}
