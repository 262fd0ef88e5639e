/**
 * What layers of a document say together, the first one lowest: maps merge, all else replaces, and an empty value takes
 * away what a layer below has. Pure.
 */
export function mergeLayers(layers: readonly unknown[]): unknown {
  const [lowest, ...others] = layers;
  return others.reduce(lay, lowest);
}

/** Of stack files: hosts are machines of one environment, and not inherited. */
export function mergeStacks(layers: readonly unknown[]): unknown {
  const below = layers.slice(0, -1).map((layer) => (isMap(layer) ? without(layer, ["hosts", "extends"]) : layer));
  return mergeLayers([...below, ...layers.slice(-1)]);
}

function without(map: Readonly<Record<string, unknown>>, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(map).filter(([key]) => !keys.includes(key)));
}

function lay(below: unknown, over: unknown): unknown {
  if (!isMap(below) || !isMap(over)) return over;
  const merged = new Map(Object.entries(below));
  for (const [key, value] of Object.entries(over)) {
    if (value === null) merged.delete(key);
    else merged.set(key, lay(merged.get(key), value));
  }
  return Object.fromEntries(merged);
}

export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
