import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";

import { alertRules } from "../../src/planner/alert-rules.js";

const { exitCode: found } = await execa("promtool", ["--version"], { reject: false });
const isPossible = found === 0 || process.env.BERTH_TEST_ALL === "1";
if (!isPossible) console.warn("skipped: there is no promtool (apt-get install prometheus)");

const labels = '{stack="prod",deployment="chat",instance="chat-0",host="one",model="chat"}';
const well = { healthy: 1, reachable: 1, deployed: 1, drifted: 0 };

describe.runIf(isPossible)("the alert rules, as Prometheus reads them", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "berth-rules-"));
    writeFileSync(join(folder, "rules.yaml"), stringify(alertRules()));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it("are well-formed", async () => {
    await execa("promtool", ["check", "rules", join(folder, "rules.yaml")]);
    expect(alertRules().groups[0]?.rules.length).toBeGreaterThan(5);
  });

  it.each<[string, string | undefined, Readonly<Record<string, number>>]>([
    ["nothing of what is well", undefined, {}],
    ["an unhealthy instance", "BerthInstanceUnhealthy", { [`berth_instance_healthy${labels}`]: 0 }],
    ["a drifted instance", "BerthInstanceDrifted", { [`berth_instance_drifted${labels}`]: 1 }],
    ["an instance that is not deployed", "BerthInstanceLost", { [`berth_instance_deployed${labels}`]: 0 }],
    [
      ...(["an instance whose host does not answer", "BerthInstanceLost"] as const),
      { [`berth_instance_reachable${labels}`]: 0, [`berth_instance_healthy${labels}`]: 0 },
    ],
    ["drift below instances", "BerthDrift", { 'berth_drifted_resources{stack="prod"}': 2 }],
    [
      ...(["a gateway without healthy instances", "BerthGatewayNoServer"] as const),
      { 'haproxy_backend_active_servers{proxy="deployment:chat",host="one",stack="prod"}': 0 },
    ],
    ["a gateway that is gone", "BerthTargetDown", { 'up{part="gateway",host="one",stack="prod"}': 0 }],
    ["a status that nobody writes", "BerthStatusOld", { 'berth_status_timestamp_seconds{stack="prod"}': -2000 }],
  ])("raise an alarm for %s", async (_what, alert, changes) => {
    const values = {
      ...Object.fromEntries(Object.entries(well).map(([name, value]) => [`berth_instance_${name}${labels}`, value])),
      ...{ 'up{part="gateway",host="one",stack="prod"}': 1, 'berth_status_timestamp_seconds{stack="prod"}': 0 },
      ...{ 'haproxy_backend_active_servers{proxy="deployment:chat",host="one",stack="prod"}': 1 },
      ...changes,
    };
    const raised = await raisedFor(values);
    expect(raised).toEqual(alert === undefined ? [] : [alert]);
  });

  /** What is raised after ten minutes of the same values. */
  async function raisedFor(values: Readonly<Record<string, number>>): Promise<string[]> {
    const test = {
      rule_files: ["rules.yaml"],
      evaluation_interval: "1m",
      tests: [
        {
          interval: "1m",
          input_series: Object.entries(values).map(([series, value]) => ({ series, values: `${value}x10` })),
          promql_expr_test: [
            { expr: 'count by (alertname) (ALERTS{alertstate="firing"})', eval_time: "10m", exp_samples: [] },
          ],
        },
      ],
    };
    writeFileSync(join(folder, "test.yaml"), stringify(test));
    const { exitCode, all } = await execa("promtool", ["test", "rules", "test.yaml"], {
      ...{ cwd: folder, reject: false, all: true },
    });
    const names = [...all.matchAll(/alertname="(\w+)"/g)].map(([, name = ""]) => name);
    expect(exitCode === 0).toBe(names.length === 0);
    return [...new Set(names)];
  }
});
