import fc from "fast-check";
import { parseFragment } from "parse5";
import { describe, expect, it } from "vitest";

import { html } from "../../../src/lib/html.js";

describe("HTML of a template", () => {
  it("keeps what the template says, and pieces of HTML", () => {
    expect(html`<p>${html`<b>${1}</b>`}${[html`<i>a</i>`, html`<i>b</i>`]}</p>`.text).toBe(
      "<p><b>1</b><i>a</i><i>b</i></p>",
    );
  });

  it("escapes texts", () => {
    expect(html`<p title="${`"'`}">${"<b> & </b>"}</p>`.text).toBe(
      `<p title="&quot;&#39;">&lt;b&gt; &amp; &lt;/b&gt;</p>`,
    );
  });

  it("makes of any text one text and one attribute, which a parser reads as they were", () => {
    const printed = fc
      .string({ unit: "grapheme" })
      .filter((text) => !/[\p{Cc}\u2028-\u202e\u2066-\u2069\ufeff]/u.test(text));
    fc.assert(
      fc.property(printed, (text) => {
        const [element, ...others] = parseFragment(html`<p title="${text}">${text}</p>`.text).childNodes;
        expect(others).toEqual([]);
        expect(element).toMatchObject({ nodeName: "p", attrs: [{ name: "title", value: text }] });
        const children = element !== undefined && "childNodes" in element ? element.childNodes : [];
        expect(children.map((child) => ("value" in child ? child.value : child.nodeName))).toEqual(
          text === "" ? [] : [text],
        );
      }),
    );
  });

  it("drops what turns the direction of reading", () => {
    expect(html`${"a\u202eb"}`.text).toBe("a?b");
  });
});
