import { describe, expect, it } from "vitest";

import { chain } from "../../support/chain.js";

const link = (from: string, to: string | undefined) => ({ from: { at: from }, to: to === undefined ? to : { at: to } });

function breaks(links: readonly ReturnType<typeof link>[]): number {
  return links.filter(({ from }, index) => from.at !== links[index - 1]?.to?.at).length;
}

describe("a chain", () => {
  it("has every link once, and begins most where the one before ended", () => {
    const links = [
      link("a", "b"),
      link("a", "b"),
      link("a", "a"),
      link("b", "a"),
      link("c", undefined),
      link("b", "b"),
    ];
    const ordered = chain(links);
    expect(ordered).toHaveLength(links.length);
    expect(new Set(ordered)).toEqual(new Set(links));
    expect(breaks(links)).toBe(6);
    expect(breaks(ordered)).toBe(2);
  });

  it("goes on after a link of which nobody knows where it ends", () => {
    const links = [link("a", undefined), link("a", undefined)];
    expect(chain(links)).toEqual(links);
  });
});
