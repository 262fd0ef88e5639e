import { BerthError, messageOf } from "../lib/errors.js";
import type { IndexLink } from "../model/package-index.js";
import { normalizeName } from "../model/package-name.js";
import type { IndexAddress } from "./index-address.js";

const indexSeconds = 20;

export interface IndexPage {
  /** Its address, without user and password. */
  readonly address: string;
  readonly files: readonly IndexLink[];
}

/** The page of a package at an index. @throws BerthError `index-unreachable` */
export async function fetchIndexPage(index: IndexAddress, name: string): Promise<IndexPage> {
  // What asks no index does without it: it takes a while to load.
  const { parseIndexLinks } = await import("../model/package-index.js");
  const address = `${index.address}/${normalizeName(name)}/`;
  const accept = "application/vnd.pypi.simple.v1+json, text/html;q=0.5";
  try {
    const signal = AbortSignal.timeout(indexSeconds * 1000);
    const response = await fetch(address, { headers: { ...index.headers, accept }, signal });
    if (!response.ok) throw new Error(`HTTP status ${response.status}`);
    return { address, files: parseIndexLinks(response.headers.get("content-type") ?? "", await response.text()) };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new BerthError("index-unreachable", {
      where: address,
      what: "the package index did not answer or does not have the package",
      got: messageOf(cause),
      hint: "check the network, or name an index that this machine reaches: `mirrors: { pip: https://... }` in the stack file",
      cause: error,
    });
  }
}
