import { BerthError } from "../lib/errors.js";
import type { Move } from "../planner/moves.js";
import type { WhatIf } from "../planner/what-if.js";
import { plainTable } from "./table.js";

/** Options of commands that show what would be with other hosts. */
export interface WhatIfOptions {
  drain?: readonly string[];
  without?: readonly string[];
  with?: readonly string[];
}

/** Names and forms of the options, for each command that has them. */
export const whatIfOptions = [
  ["--drain <hosts...>", "as if these hosts were drained"],
  ["--without <hosts...>", "as if these hosts were not there"],
  ["--with <name=like...>", "as if there were more hosts, each like one that is there: gpu-07=gpu-01"],
] as const;

export function readWhatIf({ drain = [], without = [], with: more = [] }: WhatIfOptions): WhatIf {
  return { drained: drain, removed: without, added: more.map(readAdded) };
}

function readAdded(text: string): WhatIf["added"][number] {
  const [name = "", like = "", ...others] = text.split("=");
  if (name === "" || like === "" || others.length > 0)
    throw new BerthError("usage", {
      what: "`--with` names a new host and one that it is like",
      got: text,
      expected: "NAME=HOST, such as gpu-07=gpu-01",
    });
  return { name, like };
}

/** For people: each replica that moves, comes or goes. */
export function movesTable(moves: readonly Move[]): string {
  if (moves.length === 0) return "no replica moves";
  return plainTable(
    ["REPLICA", "FROM", "TO"],
    moves.map(({ replica, from = "-", to = "-" }) => [replica, from, to]),
  );
}
