/** What is between the equal beginning and the equal end of two commands; a flag whose value changes is told with it. */
export function differingWords(
  before: readonly string[],
  after: readonly string[],
): [removed: string[], added: string[]] {
  let start = 0;
  while (start < Math.min(before.length, after.length) && before[start] === after[start]) start += 1;
  let end = 0;
  const most = Math.min(before.length, after.length) - start;
  while (end < most && before.at(-1 - end) === after.at(-1 - end)) end += 1;
  const flag = before[start - 1];
  const isValue =
    start > 0 && flag?.startsWith("-") === true && start < before.length - end && start < after.length - end;
  const from = isValue ? start - 1 : start;
  return [before.slice(from, before.length - end), after.slice(from, after.length - end)];
}
