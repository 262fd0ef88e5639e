import { createRequire } from "node:module";

import type * as Yaml from "yaml";

type YamlLibrary = typeof Yaml;

let loaded: YamlLibrary | undefined;
const load = createRequire(import.meta.url) as (name: "yaml") => YamlLibrary;

/**
 * The parser that knows where everything stands. Texts without errors do without it, and loading it takes longer than
 * what most commands do.
 */
export function yamlLibrary(): YamlLibrary {
  return (loaded ??= load("yaml"));
}
