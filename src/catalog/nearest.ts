/** So many suggestions at most. */
const mostNames = 3;

/** The names that are spelled most like a wrong one, the nearest first; none when all differ in more than a third. */
export function nearestNames(wrong: string, names: readonly string[]): string[] {
  const most = Math.max(1, Math.floor(wrong.length / 3));
  return names
    .map((name) => ({ name, distance: editDistance(wrong, name, most) }))
    .filter(({ distance }) => distance <= most)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, mostNames)
    .map(({ name }) => name);
}

/** How many letters are to be put in, left out or replaced (Levenshtein); more than `most` may be any such number. */
function editDistance(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most) return most + 1;
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let line = 1; line <= a.length; line++) {
    const next = [line];
    for (let column = 1; column <= b.length; column++) {
      const replaced = (row[column - 1] ?? 0) + (a[line - 1] === b[column - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
