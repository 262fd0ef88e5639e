import {
  constructFromEvents,
  CORE_SCHEMA,
  defineMappingTag,
  defineScalarTag,
  EVENT_ID,
  floatCoreTag,
  NOT_RESOLVED,
  parseEvents,
  YAMLException,
} from "js-yaml";
import type { Event } from "js-yaml";

/**
 * What the two parsers take differently, or one of them refuses: tabs, carriage returns, byte order marks and other
 * control characters; escapes by number, of which one may give a zero byte or half a surrogate pair; lines of blanks
 * alone, with a mark of a document, or that begin with the end of a map in braces, or with a comma.
 */
const doubtful =
  /[^\n -~\u00a1-\ud7ff\ue000-\ufefe\uff00-\ufffd\u{10000}-\u{10ffff}]|\\[0xuU]|^(?: +$| *(?:---|\.\.\.|[},]))/mu;
const deepest = 100;
const absent = -1;

/** Keys are texts, and none of them means more than itself. */
const map = defineMappingTag<Record<string, unknown>>("tag:yaml.org,2002:map", {
  create: () => ({}),
  has: (values, key) => typeof key === "string" && Object.hasOwn(values, key),
  addPair: (values, key, value) => {
    if (typeof key !== "string" || key === "__proto__" || key === "<<") return "not a plain key";
    values[key] = value;
    return "";
  },
  keys: (values) => Object.keys(values),
  get: (values, key) => values[String(key)],
  identify: () => false,
});
/** Numbers that are too large are texts to one of the two. */
const float = defineScalarTag<number>("tag:yaml.org,2002:float", {
  ...floatCoreTag,
  resolve: (source, ...how) => {
    const number = floatCoreTag.resolve(source, ...how);
    if (number === NOT_RESOLVED && Math.abs(Number(source)) === Infinity && /\d/.test(source))
      throw new YAMLException("a number that is too large");
    return number;
  },
});
const schema = CORE_SCHEMA.withTags(map, float);

/**
 * What a YAML text says, in a fraction of the time of the parser that also knows where. It reads maps and lists as
 * people and programs write them, by YAML 1.2's core schema. A text with anything else, or with anything to complain of,
 * gives undefined, and never another value than that parser's: tags, anchors, aliases, directives, markers of documents,
 * keys that are no texts. Pure.
 */
export function readValues(text: string): { readonly value: object } | undefined {
  if (doubtful.test(text)) return undefined;
  try {
    const events = parseEvents(text, { maxDepth: deepest });
    if (!events.every(isPlain)) return undefined;
    const [value, ...others] = constructFromEvents(events, { source: text, schema });
    return typeof value === "object" && value !== null && others.length === 0 ? { value } : undefined;
  } catch (error) {
    if (error instanceof YAMLException) return undefined;
    throw error;
  }
}

function isPlain(event: Event): boolean {
  switch (event.type) {
    case EVENT_ID.MAPPING:
    case EVENT_ID.SEQUENCE:
    case EVENT_ID.SCALAR:
      return event.tagStart === absent && event.anchorStart === absent;
    case EVENT_ID.ALIAS:
      return false;
    case EVENT_ID.DOCUMENT:
      return event.directives.length === 0;
    case EVENT_ID.POP:
      return true;
  }
}
