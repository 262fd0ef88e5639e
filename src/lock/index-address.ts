import { BerthError } from "../lib/errors.js";

/** A Python package index as it is asked. */
export interface IndexAddress {
  /** Without user and password, so that people may see it; no slash at its end. */
  readonly address: string;
  /** What the index is told besides: who asks, when the address says so. */
  readonly headers: Readonly<Record<string, string>>;
}

const publicIndex = "https://pypi.org/simple";

/**
 * The index that a stack or pip's own setting names, else the public one. An address may hold user and password, as
 * pip takes them; they go into a header.
 *
 * @throws BerthError `index-unreachable` for what is no address, without showing it
 */
export function readIndexAddress(configured: string | undefined): IndexAddress {
  // To pip an empty variable is none.
  const named = configured === undefined || configured === "" ? publicIndex : configured;
  const url = URL.canParse(named) ? new URL(named) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new BerthError("index-unreachable", {
      where: "PIP_INDEX_URL",
      what: "the package index is not an address that Berth can ask",
      expected: "an http or https address; a password in it with its special characters as %40 and the like",
      hint: "correct the variable, or unset it for the public index",
    });
  }
  const { username, password } = url;
  url.username = "";
  url.password = "";
  const address = url.href.replace(/\/+$/, "");
  if (username === "" && password === "") return { address, headers: {} };
  const credentials = Buffer.from(`${decode(username)}:${decode(password)}`).toString("base64");
  return { address, headers: { authorization: `Basic ${credentials}` } };
}

/** User and password of an address, as they stand in it and as they are meant. */
export function readCredentials(address: string): string[] {
  if (!URL.canParse(address)) return [];
  const { username, password } = new URL(address);
  return [username, password].flatMap((text) => (text === "" ? [] : [text, decode(text)]));
}

/** A percent sign that encodes nothing stands for itself. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
