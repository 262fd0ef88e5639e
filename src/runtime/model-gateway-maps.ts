/** What the maps of a gateway that routes by model say. Pure. */
import { sorted } from "../lib/record.js";
import { rolls } from "./model-gateway-rules.js";
import { targetProxy, type ModelGatewaySettings } from "./model-gateway-settings.js";

/** Each name, and the deployment that it leads to, or that has most of it. */
export function routesOf({ routes }: ModelGatewaySettings): Map<string, string> {
  return new Map(sorted(routes).map(([model, weights]) => [model, targetProxy(heaviest(weights))]));
}

/** Each name that leads to several deployments, and the one that has most of it after the first. */
export function sparesOf({ routes }: ModelGatewaySettings): Map<string, string> {
  const rows = sorted(routes).flatMap(([model, weights]): [string, string][] => {
    const first = heaviest(weights);
    const others = Object.fromEntries(sorted(weights).filter(([name, share]) => name !== first && share > 0));
    return Object.keys(others).length === 0 ? [] : [[model, targetProxy(heaviest(others))]];
  });
  return new Map(rows);
}

/** A hundred rolls for each name that leads to several deployments: what each of them leads to. */
export function sharesOf({ routes }: ModelGatewaySettings): Map<string, string> {
  const rows = sorted(routes).flatMap(([model, weights]) => {
    const shares = sorted(weights).filter(([, share]) => share > 0);
    if (shares.length < 2) return [];
    const sum = shares.reduce((total, [, share]) => total + share, 0);
    let total = 0;
    const ends = shares.map(([name, share]) => [name, Math.round(((total += share) / sum) * rolls)] as const);
    return Array.from({ length: rolls }, (_, roll): [string, string] => {
      const [name = ""] = ends.find(([, end]) => roll < end) ?? [];
      return [`${roll}|${model}`, targetProxy(name)];
    });
  });
  return new Map(rows);
}

/** The deployment with the greatest share; of equal ones the first by name. */
function heaviest(weights: Readonly<Record<string, number>>): string {
  return sorted(weights).reduce((best, each) => (each[1] > best[1] ? each : best), ["", -1])[0];
}

/** Who has a key, by its digest; what that one may ask for; and how often. */
export function keyMaps({
  keys,
  keyDigests,
}: ModelGatewaySettings): Record<"keys" | "access" | "limits", Map<string, string>> {
  const names = sorted(keys);
  return {
    keys: new Map(names.map(([name]) => [(keyDigests[name] ?? "").toUpperCase(), name])),
    access: new Map(
      names.flatMap(([name, { models = ["*"] }]) => models.map((model): [string, string] => [`${name}|${model}`, "1"])),
    ),
    limits: new Map(
      names.flatMap(([name, { requestsPerMinute }]) =>
        requestsPerMinute === undefined ? [] : [[name, String(requestsPerMinute)]],
      ),
    ),
  };
}
