import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { planHtml } from "../../src/cli/plan-html.js";
import { planReport } from "../../src/planner/report/report.js";
import type { PlanReport } from "../../src/schema/plan.js";
import { Browser, whyNoBrowser, type Layout } from "../support/browser.js";
import { fleetSeen, settledSeen } from "../support/plan-fleet.js";

const isLeftOut = whyNoBrowser !== undefined && process.env.BERTH_TEST_ALL !== "1";

const report = planReport(fleetSeen());
const page = planHtml(report);

const hostile = [
  `<script>document.body.innerHTML = "taken over"</script>`,
  `"><img src=x onerror="document.body.innerHTML = 'taken over'">`,
  `' onmouseover='alert(1)' style='position:fixed`,
  `</style></title><b>bold</b><!--`,
  `\u202etfel-ot-thgir &lt;i&gt; \u0000`,
  "w".repeat(300),
];

/** The same plan with a text in every place that others can write into. */
function withText(text: string): PlanReport {
  const rename = (value: unknown): unknown => {
    if (typeof value === "string")
      return value.replace(
        /^(?:chat|vision|code|h100|mi300x|NVIDIA|python3|the runner)/,
        (start) => `${text} ${start}`,
      );
    if (Array.isArray(value)) return value.map(rename);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, rename(inner)]));
  };
  const renamed = rename(report) as PlanReport;
  return {
    ...renamed,
    stack: text,
    choices: [text],
    checked: [text],
    unknown: [text],
    lock: { ...report.lock, path: text, reason: text },
  };
}

describe.skipIf(isLeftOut)(`the page of a plan in a browser${isLeftOut ? ` (left out: ${whyNoBrowser})` : ""}`, () => {
  let browser: Browser;
  beforeAll(() => {
    browser = new Browser();
  });
  afterAll(() => browser.dispose());

  describe.each([1280, 390])("of %i pixels", (width) => {
    let layout: Layout;
    beforeAll(async () => {
      layout = await browser.lay(page, width);
    });

    it("fits: nothing reaches beyond the window", () => {
      expect(layout.beyond).toEqual([]);
      expect(layout.width).toBeLessThanOrEqual(width);
    });

    it("tells of every deployment, its hosts, and how it changes", () => {
      for (const text of [
        "chat",
        "vision",
        "code",
        "h100-01..04",
        "blueGreen, 1 at a time",
        "vllm 0.17.1 -> vllm 0.19.0",
        "about 95 s, at most 1200 s",
        "h100-04 has it",
        "21.2 GB to fetch, about 13 min 0 s",
        "about 1 min 35 s on h100-01..04",
      ])
        expect(layout.text).toContain(text);
      expect(layout.text).toContain("python3 (pid 41822)");
    });

    it("draws each part as wide as its memory is of the device's", () => {
      const chat = layout.parts.filter(({ title }) => title === "chat: 71.7 GiB");
      expect(chat).toHaveLength(2);
      for (const { width: drawn, barWidth } of chat) expect(drawn / (barWidth - 2)).toBeCloseTo(71.7 / 79.6, 2);
      expect(layout.parts.filter(({ title }) => title === "chat': 71.7 GiB")).toHaveLength(2);
      expect(layout.parts.filter(({ title }) => title === "others: 3.1 GiB")).toHaveLength(1);
    });
  });

  it("shows the fleet in colours: one for each deployment, and more than a few pixels of each", async () => {
    const colours = await browser.colours(page, 1280, 1000);
    const many = [...colours].filter(([, count]) => count > 300);
    const isColourful = (colour: string) => {
      const [red = 0, green = 0, blue = 0] = colour.split(",").map(Number);
      return Math.max(red, green, blue) - Math.min(red, green, blue) > 60;
    };
    expect(many.filter(([colour]) => isColourful(colour)).length).toBeGreaterThanOrEqual(3);
    const background = Math.max(...colours.values());
    expect(background).toBeLessThan(0.95 * 1280 * 1000);
  });

  it.each(hostile)("takes what others named for text: %s", async (text) => {
    const plain = await browser.lay(page, 390);
    const layout = await browser.lay(planHtml(withText(text)), 390);
    const extra = Object.keys(layout.elements).filter((name) => !(name in plain.elements));
    expect(extra).toEqual([]);
    expect(layout.attributes).toEqual(plain.attributes);
    expect(layout.elements.article).toBe(plain.elements.article);
    expect(layout.beyond).toEqual([]);
    const shown = text.replace(/[\u202e\u0000]/g, "?").replace(/\s+/g, " ");
    expect(layout.text.replace(/\s+/g, " ")).toContain(shown);
  });

  it("of a fleet in which nothing changes says so, with one bar for each device", async () => {
    const layout = await browser.lay(planHtml(planReport(settledSeen())), 1280);
    expect(layout.text).toContain("no changes: everything is as the stack wants it");
    expect(layout.text).not.toContain("at peak");
  });

  it("loads nothing from elsewhere", () => {
    expect(page).not.toMatch(/\b(?:src|href|url)\s*[=(]/i);
    expect(page).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
  });
});
