import { SaxesParser } from "saxes";

/** An element of an XML document. */
export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly Element[];
  /** What stands in it outside of its children. */
  readonly text: string;
}

interface OpenElement extends Element {
  readonly children: Element[];
  text: string;
}

/** The root of an XML document; undefined for a text that is not well-formed, such as one that breaks off. */
export function parseXml(text: string): Element | undefined {
  const parser = new SaxesParser();
  const top: OpenElement = { name: "", attributes: {}, children: [], text: "" };
  const open = [top];
  const faults: Error[] = [];
  parser.on("error", (fault) => faults.push(fault));
  parser.on("opentag", ({ name, attributes }) => {
    const element: OpenElement = { name, attributes: { ...attributes }, children: [], text: "" };
    open.at(-1)?.children.push(element);
    open.push(element);
  });
  parser.on("text", (more) => {
    const element = open.at(-1);
    if (element !== undefined) element.text += more;
  });
  parser.on("closetag", () => {
    open.pop();
  });
  parser.write(text).close();
  return faults.length > 0 ? undefined : top.children[0];
}

/** The elements of a name right below another. */
export function childrenOf(element: Element | undefined, name: string): readonly Element[] {
  return element?.children.filter((child) => child.name === name) ?? [];
}

/** The text of the element at a path below another. */
export function textAt(element: Element | undefined, ...path: readonly string[]): string | undefined {
  let found = element;
  for (const name of path) found = childrenOf(found, name)[0];
  return found?.text.trim();
}
