/** The fleet as a picture: hosts, their devices, and who has how much of each. */
import { html, type Html } from "../lib/html.js";
import { foldPlaces, sharesOf, type FoldedHosts, type FoldedPlaces, type Share } from "../planner/report/fold.js";
import { gib } from "../planner/report/memory.js";
import { foldNames } from "../planner/report/names.js";
import { sumOf } from "../planner/report/places.js";
import type { Occupant, Place, PlanReport } from "../schema/plan.js";
import { colourOf } from "./plan-style.js";

/** By deployment. */
type Colours = ReadonlyMap<string, string>;

/** Empty where no host has anything to show. */
export function fleetPicture({ places, deployments }: PlanReport): Html {
  if (places.length === 0) return html``;
  const colours: Colours = new Map(deployments.map(({ name }, index) => [name, colourOf(index)]));
  return html`<section>
    <h2>Fleet</h2>
    ${legend(places, colours)}
    <div class="fleet">${foldPlaces(places).map((folded) => card(folded, colours))}</div>
  </section>`;
}

function legend(places: readonly Place[], colours: Colours): Html {
  const all = places.flatMap(({ now, during, after }) => [...now, ...during, ...after]);
  const item = (style: string, kind: string, text: string) =>
    html`<li><span class="swatch ${kind}" style="${style}"></span>${text}</li>`;
  return html`<ul class="legend">
    ${[...colours].map(([name, colour]) => item(`background-color: ${colour}`, "", name))}
    ${all.some(({ isNew }) => isNew) ? item(`background-color: ${colourOf(0)}`, "new", "new runner of an update") : html``}
    ${all.some(({ bytes }) => bytes === undefined) ? item(`background-color: ${colourOf(0)}`, "unsure", "how much is not known") : html``}
    ${places.some(({ foreignBytes }) => foreignBytes > 0) ? item("", "foreign", "others: left alone, counted as taken") : html``}
    ${item("background-color: var(--track); border: 1px solid var(--line)", "", "free")}
  </ul>`;
}

function card({ hosts, rows }: FoldedHosts, colours: Colours): Html {
  const titles = [...new Set(rows.map(({ place }) => place.title))];
  const each = hosts.length === 1 ? "" : `${hosts.length} hosts, each: `;
  return html`<article class="card">
    <h3>${foldNames(hosts)}</h3>
    <p class="quiet">${each}${titles.join(", ")}</p>
    ${rows.map((row) => deviceRow(row, colours))}
  </article>`;
}

function deviceRow({ devices, place }: FoldedPlaces, colours: Colours): Html {
  const label =
    devices.length === 0 ? "memory" : `${devices.length === 1 ? "device" : "devices"} ${foldNames(devices)}`;
  const who = place.foreign.map(({ pid, name }) => `${name} (pid ${pid})`).join(", ");
  return html`<div class="row">
    <div class="label">${label}</div>
    <div>
      <div class="bars">${moments(place).map(({ title, occupants }) => bar(title, place, occupants, colours))}</div>
      ${who === "" ? html`` : html`<p class="others">others: ${who}</p>`}
      ${place.isOverfull ? html`<p class="overfull">more than it has</p>` : html``}
    </div>
  </div>`;
}

/** One bar is enough where nothing changes. */
function moments({ now, during, after }: Place): { title: string; occupants: readonly Occupant[] }[] {
  const tell = (occupants: readonly Occupant[]) => JSON.stringify(sharesOf(occupants));
  if (tell(now) === tell(during) && tell(during) === tell(after)) return [{ title: "", occupants: now }];
  return [
    { title: "now", occupants: now },
    { title: "at peak", occupants: during },
    { title: "after", occupants: after },
  ];
}

function bar(title: string, place: Place, occupants: readonly Occupant[], colours: Colours): Html {
  const { bytes, foreignBytes } = place;
  const shares = sharesOf(occupants);
  const isKnown = bytes !== undefined && shares.every((share) => share.bytes !== undefined);
  // What would not fit is drawn as full.
  const all = Math.max(bytes ?? 0, sumOf(occupants) + foreignBytes, 1);
  const width = (share: Share) => (isKnown ? (100 * (share.bytes ?? 0)) / all : 100 / shares.length);
  const foreign = foreignBytes > 0 && isKnown ? [foreignPart((100 * foreignBytes) / all, foreignBytes)] : [];
  const taken = isKnown ? gib(sumOf(occupants) + foreignBytes) : "?";
  return html`<span class="quiet">${title}</span>
    <div class="bar">${shares.map((share) => part(share, width(share), colours))}${foreign}</div>
    <span class="number">${taken} of ${bytes === undefined ? "?" : gib(bytes)} GiB</span>`;
}

function part(share: Share, percent: number, colours: Colours): Html {
  const { deployment, isNew, count, bytes } = share;
  const name = `${count === 1 ? "" : `${count} `}${deployment}${isNew ? "'" : ""}`;
  const size = bytes === undefined ? "how much is not known" : `${gib(bytes)} GiB`;
  const classes = [
    "part",
    ...(isNew ? ["new"] : []),
    ...(bytes === undefined ? ["unsure"] : []),
    ...(percent < 12 ? ["thin"] : []),
  ];
  const style = `width: ${percent.toFixed(2)}%; background-color: ${colours.get(deployment) ?? "var(--foreign)"}`;
  return html`<div class="${classes.join(" ")}" style="${style}" title="${name}: ${size}">
    ${percent < 12 ? "" : name}
  </div>`;
}

function foreignPart(percent: number, bytes: number): Html {
  return html`<div
    class="part thin foreign"
    style="width: ${percent.toFixed(2)}%"
    title="others: ${gib(bytes)} GiB"
  ></div>`;
}
