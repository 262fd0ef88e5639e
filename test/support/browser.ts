import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { execa } from "execa";

const candidates = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const executable = candidates.find((path) => existsSync(path));

/** Why no browser can be started here; undefined when one can. */
export const whyNoBrowser = executable === undefined ? "there is no chromium" : undefined;

/** What a page looks like in a window of some width. */
export interface Layout {
  /** Width that its contents take. */
  readonly width: number;
  readonly height: number;
  readonly text: string;
  /** Which elements it has, by name. */
  readonly elements: Readonly<Record<string, number>>;
  readonly attributes: readonly string[];
  /** Parts of bars that are wider and higher than nothing: their titles and widths. */
  readonly parts: readonly { readonly title: string; readonly width: number; readonly barWidth: number }[];
  /** Elements that reach beyond the window. */
  readonly beyond: readonly string[];
}

/** Debian's chromium without a window. Each call is a browser of its own, with a profile of its own. */
export class Browser {
  readonly #folder = mkdtempSync(join(tmpdir(), "berth-browser-"));
  #count = 0;

  dispose(): void {
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Lays a page out in a window of so many pixels. */
  async lay(page: string, width: number): Promise<Layout> {
    // In a frame of the same origin: the browser's own window has a least width.
    const script = `
      const frame = document.createElement("iframe");
      frame.style.cssText = "border:0;width:${width}px;height:4000px";
      frame.srcdoc = ${inScript(page)};
      frame.onload = () => { (${measure.toString()})(frame.contentDocument, ${width}, report); };
      document.body.append(frame);`;
    return JSON.parse(await this.#evaluate(script)) as Layout;
  }

  /** What a page shows in a window of so many pixels: how many pixels there are of each colour, as `r,g,b`. */
  async colours(page: string, width: number, height: number): Promise<Map<string, number>> {
    const image = join(this.#folder, "screenshot.png");
    await this.#run(page, [`--screenshot=${image}`, `--window-size=${width},${height}`, "--hide-scrollbars"]);
    const data = `data:image/png;base64,${readFileSync(image).toString("base64")}`;
    const script = `const image = new Image();
      image.onload = () => { (${countColours.toString()})(image, report); };
      image.src = ${inScript(data)};`;
    return new Map(Object.entries(JSON.parse(await this.#evaluate(script)) as Record<string, number>));
  }

  /** Runs a script that calls `report` with a value, and returns that as JSON. */
  async #evaluate(script: string): Promise<string> {
    const begin = `const report = (value) => {
      const result = document.createElement("output");
      result.textContent = encodeURIComponent(JSON.stringify(value));
      document.body.replaceChildren(result);
    };`;
    const page = `<!doctype html><body><script>${begin}${script}</script></body>`;
    const dom = await this.#run(page, ["--dump-dom", "--virtual-time-budget=10000"]);
    const [, result] = /<output>([^<]*)<\/output>/.exec(dom) ?? [];
    if (result === undefined) throw new Error(`the page reported nothing:\n${dom.slice(0, 2000)}`);
    return decodeURIComponent(result);
  }

  async #run(page: string, options: readonly string[]): Promise<string> {
    this.#count += 1;
    const file = join(this.#folder, `${this.#count}.html`);
    writeFileSync(file, page);
    const flags = ["--headless", "--disable-gpu", "--no-first-run", `--user-data-dir=${this.#folder}/profile`];
    // The browser's own sandbox is not for root.
    // In a container /dev/shm is too small for a page.
    flags.push("--disable-dev-shm-usage");
    if (process.getuid?.() === 0) flags.push("--no-sandbox");
    const { stdout } = await execa(executable ?? "", [...flags, ...options, pathToFileURL(file).href], {
      timeout: 90_000,
      stdin: "ignore",
    });
    return stdout;
  }
}

function inScript(text: string): string {
  return JSON.stringify(text).replaceAll("<", "\\u003c");
}

/** Parts of the browser's interface that the functions below use; they run there. */
interface Box {
  readonly left: number;
  readonly right: number;
  readonly width: number;
  readonly height: number;
}
interface PageElement {
  readonly localName: string;
  readonly className: string;
  readonly title: string;
  readonly innerText: string;
  readonly scrollWidth: number;
  readonly scrollHeight: number;
  readonly attributes: Iterable<{ readonly name: string }>;
  readonly parentElement: PageElement;
  getBoundingClientRect(): Box;
}
interface Page {
  readonly documentElement: PageElement;
  readonly body: PageElement;
  querySelectorAll(selector: string): Iterable<PageElement>;
}

/** Stands alone: it is sent to the browser as text. */
function measure(page: Page, width: number, report: (layout: Layout) => void): void {
  const all = [...page.querySelectorAll("*")];
  const elements: Record<string, number> = {};
  for (const { localName } of all) elements[localName] = (elements[localName] ?? 0) + 1;
  const parts = [...page.querySelectorAll(".bar > .part")].flatMap((part) => {
    const box = part.getBoundingClientRect();
    const barWidth = part.parentElement.getBoundingClientRect().width;
    return box.width > 0 && box.height > 0 ? [{ title: part.title, width: box.width, barWidth }] : [];
  });
  const isBeyond = ({ left, right }: Box) => left < -1 || right > width + 1;
  report({
    width: page.documentElement.scrollWidth,
    height: page.documentElement.scrollHeight,
    text: page.body.innerText,
    elements,
    attributes: [...new Set(all.flatMap((element) => [...element.attributes].map(({ name }) => name)))].sort(),
    parts,
    beyond: all
      .filter((element) => isBeyond(element.getBoundingClientRect()))
      .map(({ localName, className }) => `${localName}.${className}`),
  });
}

interface Picture {
  readonly width: number;
  readonly height: number;
}
interface Canvas {
  width: number;
  height: number;
  getContext(kind: "2d"): {
    drawImage(image: Picture, x: number, y: number): void;
    getImageData(x: number, y: number, width: number, height: number): { readonly data: Uint8ClampedArray };
  };
}
declare const document: { createElement(name: "canvas"): Canvas };

/** Stands alone: it is sent to the browser as text. */
function countColours(image: Picture, report: (colours: Record<string, number>) => void): void {
  const canvas = document.createElement("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  const colours: Record<string, number> = {};
  for (let at = 0; at < data.length; at += 4) {
    const colour = `${data[at] ?? 0},${data[at + 1] ?? 0},${data[at + 2] ?? 0}`;
    colours[colour] = (colours[colour] ?? 0) + 1;
  }
  report(colours);
}
