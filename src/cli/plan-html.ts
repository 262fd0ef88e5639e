import { html, Html } from "../lib/html.js";
import { fetchTexts, loadTexts } from "../planner/report/fetch-text.js";
import { foldNames } from "../planner/report/names.js";
import {
  countsText,
  deploymentReasons,
  deploymentRow,
  lockText,
  noChanges,
  objectRows,
} from "../planner/report/summary.js";
import type { PlanReport } from "../schema/plan.js";
import { fleetPicture } from "./plan-picture.js";
import { planStyle } from "./plan-style.js";

/** A plan as one page for a browser: it loads nothing, runs nothing, and whatever others named is text in it. */
export function planHtml(report: PlanReport): string {
  const { text } = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'" />
        <title>Plan of stack ${report.stack}</title>
        <style>
          ${plainStyle}
        </style>
      </head>
      <body>
        <main>
          ${[
            head(report),
            fleetPicture(report),
            deployments(report),
            objects(report),
            reasons(report),
            argumentChanges(report),
            ...times(report),
            findings(report),
          ]}
        </main>
      </body>
    </html> `;
  return text;
}

const plainStyle = new Html(planStyle);

function head(report: PlanReport): Html {
  const { stack, lock, isPending, hosts } = report;
  const answering = hosts.filter(({ problem }) => problem === undefined).length;
  const status = isPending
    ? html`<p class="status pending">changes are pending: ${countsText(report)}</p>`
    : html`<p class="status settled">${noChanges}</p>`;
  return html`<header>
    <h1>Plan of stack ${stack}</h1>
    <p class="quiet"><code>${lock.path}</code> ${lockText(report)}, hosts: ${answering} of ${hosts.length} answer</p>
    <p class="quiet">Read only: nothing on any host was changed, and the lock was not written.</p>
    ${status}
  </header>`;
}

function deployments(report: PlanReport): Html {
  const rows = report.deployments.map((deployment) => {
    const { mark, name, change, replicas, strategy, downtime } = deploymentRow(deployment);
    return html`<tr>
      <td class="${deployment.change}">${mark}</td>
      <td data-label="deployment">${name}</td>
      <td data-label="change">${change}</td>
      <td data-label="replicas">${replicas}</td>
      <td data-label="strategy">${strategy}</td>
      <td data-label="downtime">${downtime}</td>
    </tr>`;
  });
  return section("Deployments", rows, (content) =>
    table(["", "deployment", "change", "replicas", "strategy", "downtime"], content),
  );
}

function objects(report: PlanReport): Html {
  const all = objectRows(report);
  const hasReasons = all.some(({ why }) => why.length > 0);
  const rows = all.map(
    ({ mark, change, kind, names, why }) =>
      html`<tr>
        <td class="${change}">${mark}</td>
        <td data-label="object">${kind}</td>
        <td data-label="name">${names}</td>
        ${hasReasons ? html`<td data-label="why">${why.join("; ")}</td>` : html``}
      </tr>`,
  );
  const titles = ["", "object", "name", ...(hasReasons ? ["why"] : [])];
  return section("Other objects", rows, (content) => table(titles, content));
}

function table(titles: readonly string[], rows: readonly Html[]): Html {
  return html`<table>
    <thead>
      <tr>
        ${titles.map((title) => html`<th>${title}</th>`)}
      </tr>
    </thead>
    <tbody>
      ${rows}
    </tbody>
  </table>`;
}

function reasons(report: PlanReport): Html {
  const entries = deploymentReasons(report).map(
    ({ name, texts }) =>
      html`<dt>${name}</dt>
        ${texts.map((text) => html`<dd>${text}</dd>`)}`,
  );
  const choices = report.choices.length === 0 ? [] : [list(report.choices)];
  return section("Why", [...(entries.length === 0 ? [] : [html`<dl>${entries}</dl>`]), ...choices]);
}

function argumentChanges(report: PlanReport): Html {
  const changes = report.deployments.flatMap(({ arguments: all }) =>
    all.map(
      ({ instances, removed, added }) =>
        html`<p>${foldNames(instances)}</p>
          ${argumentLine("-", "delete", removed)} ${argumentLine("+", "create", added)}`,
    ),
  );
  return section("Arguments", changes);
}

function argumentLine(mark: string, kind: string, words: readonly string[]): Html {
  return words.length === 0 ? html`` : html`<pre class="${kind}">${mark} ${words.join(" ")}</pre>`;
}

function times(report: PlanReport): Html[] {
  const titled = { Fetch: fetchTexts(report), Load: loadTexts(report) };
  return Object.entries(titled).map(([title, texts]) => section(title, texts.length === 0 ? [] : [list(texts)]));
}

function findings({ checked, unknown, failure }: PlanReport): Html {
  const titled = { Checked: checked, Unknown: unknown, "If it fails": failure };
  const sections = Object.entries(titled).map(
    ([title, texts]) => html`<div>${section(title, texts.length === 0 ? [] : [list(texts)])}</div>`,
  );
  return html`<div class="columns">${sections}</div>`;
}

function list(texts: readonly string[]): Html {
  return html`<ul class="list">
    ${texts.map((text) => html`<li>${text}</li>`)}
  </ul>`;
}

/** Nothing where there is nothing to tell. */
function section(title: string, content: readonly Html[], wrap = (inner: readonly Html[]) => html`${inner}`): Html {
  if (content.length === 0) return html``;
  return html`<section>
    <h2>${title}</h2>
    ${wrap(content)}
  </section>`;
}
