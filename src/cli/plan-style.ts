/** How a plan looks in a browser and on paper. */
export const planStyle = `
:root { color-scheme: light dark; --back: #f6f7f9; --card: #fff; --text: #1c2128; --quiet: #5b6470; --line: #dde1e7;
  --track: #eceff3; --foreign: #8b93a0; --good: #1a7f4b; --warn: #a15c00; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --back: #12151a; --card: #1b2027; --text: #e6e9ee; --quiet: #9aa4b2;
  --line: #303742; --track: #262d37; --foreign: #6d7683; --good: #4cc38a; --warn: #f0a94a; --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 15px/1.5 system-ui, sans-serif;
  overflow-wrap: anywhere; }
main { max-width: 1240px; margin: 0 auto; padding: 24px 16px 48px; }
h1 { font-size: 24px; line-height: 1.25; margin: 0 0 4px; }
h2 { font-size: 16px; margin: 32px 0 10px; }
p { margin: 4px 0; }
code, pre { font: 13px/1.5 ui-monospace, monospace; }
.quiet { color: var(--quiet); }
.status { display: inline-block; margin: 12px 0 0; padding: 3px 12px; border-radius: 14px; border: 1px solid currentColor;
  font-weight: 600; }
.pending { color: var(--warn); } .settled { color: var(--good); }
.legend { display: flex; flex-wrap: wrap; gap: 6px 18px; margin: 0 0 12px; padding: 0; list-style: none; }
.legend li { display: flex; align-items: center; gap: 7px; }
.swatch { width: 16px; height: 16px; border-radius: 4px; flex: none; }
.fleet { display: grid; gap: 14px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 380px), 1fr)); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px;
  break-inside: avoid; min-width: 0; }
.card h3 { font-size: 15px; margin: 0; }
.row { margin-top: 12px; }
.label { font-weight: 600; font-size: 13px; line-height: 20px; }
.others { color: var(--quiet); font-size: 12px; margin: 4px 0 0 54px; }
.bars { display: grid; grid-template-columns: 46px minmax(0, 1fr) 106px; gap: 4px 8px; align-items: center;
  font-size: 12px; }
.bar { display: flex; height: 20px; border-radius: 4px; overflow: hidden; background: var(--track);
  border: 1px solid var(--line); }
.part { overflow: hidden; white-space: nowrap; text-overflow: ellipsis; color: #fff; font-size: 11px; line-height: 18px;
  padding: 0 5px; min-width: 3px; flex: none; }
.thin { padding: 0; }
.new { background-image: repeating-linear-gradient(135deg, rgb(255 255 255 / .22) 0 6px, transparent 6px 12px); }
.unsure { background-image: repeating-linear-gradient(90deg, rgb(255 255 255 / .25) 0 2px, transparent 2px 7px); }
.foreign { background: repeating-linear-gradient(45deg, var(--foreign) 0 4px, transparent 4px 8px); margin-left: auto; }
.number { color: var(--quiet); text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.overfull { color: var(--bad); font-weight: 600; }
table { width: 100%; border-collapse: collapse; background: var(--card); border: 1px solid var(--line);
  border-radius: 10px; }
th, td { text-align: left; vertical-align: top; padding: 8px 12px; border-top: 1px solid var(--line); }
thead th { border-top: 0; color: var(--quiet); font-size: 12px; font-weight: 600; }
td:first-child { width: 34px; font-weight: 700; text-align: center; }
.create { color: var(--good); } .update, .replace, .repair { color: var(--warn); } .delete { color: var(--bad); }
ul.list { margin: 0; padding-left: 20px; }
.columns { display: grid; gap: 0 28px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 380px), 1fr)); }
pre { margin: 0; white-space: pre-wrap; }
dl { margin: 0; } dt { font-weight: 600; margin-top: 12px; } dd { margin: 0; }
dl + ul { margin-top: 14px; }
@media (max-width: 640px) {
  main { padding: 16px 12px 32px; }
  thead { display: none; }
  table, tbody, tr, td { display: block; }
  tr { border-top: 1px solid var(--line); padding: 8px 12px; }
  tr:first-child { border-top: 0; }
  td, td:first-child { border: 0; padding: 2px 0; width: auto; text-align: left; }
  td[data-label]::before { content: attr(data-label) ": "; color: var(--quiet); font-size: 12px; }
  td:empty { display: none; }
}
@media print {
  :root { color-scheme: light; --back: #fff; --card: #fff; --text: #000; --quiet: #444; --line: #bbb; --track: #f2f2f2;
    --foreign: #777; --good: #1a7f4b; --warn: #a15c00; --bad: #b3261e; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { font-size: 11px; }
  main { max-width: none; padding: 0; }
}
`;

/** The colour of each deployment by its number: hues as far apart as can be, all as dark, so that white can be read. */
export function colourOf(index: number): string {
  return `oklch(0.52 0.13 ${((index * 137.5 + 250) % 360).toFixed(1)})`;
}
