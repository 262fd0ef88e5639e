/** Many names in few words. */

interface Counted {
  readonly name: string;
  readonly prefix: string;
  readonly digits: string;
}

/** `h100-01..04, h100-07, gw`: runs of names that differ in the number at their end alone. Keeps the order. */
export function foldNames(names: readonly string[]): string {
  const runs: Counted[][] = [];
  for (const name of names) {
    const [, prefix = "", digits = ""] = /^(.*?)(\d*)$/s.exec(name) ?? [];
    const last = runs.at(-1)?.at(-1);
    const next = { name, prefix, digits };
    if (last !== undefined && follows(last, next)) runs.at(-1)?.push(next);
    else runs.push([next]);
  }
  return runs.flatMap(describeRun).join(", ");
}

function follows(last: Counted, next: Counted): boolean {
  if (last.prefix !== next.prefix || last.digits === "" || next.digits.length > 15) return false;
  const expected = String(Number(last.digits) + 1).padStart(last.digits.length, "0");
  return next.digits === expected;
}

function describeRun(run: readonly Counted[]): string[] {
  const [first, ...others] = run;
  const last = others.at(-1);
  if (first === undefined || last === undefined || others.length === 1) return run.map(({ name }) => name);
  return [`${first.name}..${last.digits}`];
}
