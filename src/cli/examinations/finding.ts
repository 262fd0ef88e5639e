/** One thing that was looked at. */
export interface Finding {
  readonly state: "good" | "note" | "bad";
  readonly subject: string;
  readonly found: string;
  /** What mends it: a command where there is one. */
  readonly mend?: string;
}

export function formatFinding({ state, subject, found, mend }: Finding): string {
  const mark = { good: "ok  ", note: "note", bad: "BAD " }[state];
  const line = `${mark}  ${subject.padEnd(18)} ${found}`;
  return mend === undefined ? line : `${line}\n      ${" ".repeat(18)} -> ${mend}`;
}
