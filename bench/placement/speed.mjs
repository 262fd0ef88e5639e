/** How long plans take, by the processor's time: this process does nothing else. Prints JSON. */
import { planFleet } from "../../dist/planner/fleet/plan.js";
import { round } from "../summary.mjs";
import { makeFleet } from "./fleets.mjs";

const [part] = process.argv.slice(2);

function milliseconds(action) {
  const before = process.cpuUsage();
  action();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

function measurePlans({ devices, deployments, plans, load = 0.95 }) {
  const problems = Array.from({ length: plans }, (_, index) =>
    makeFleet({ seed: index + 1, devices, deployments, load }),
  );
  const times = problems.map((problem) => milliseconds(() => planFleet(problem)));
  return {
    devices,
    deployments,
    plans,
    ...percentiles(times),
    peakMiB: round(process.resourceUsage().maxRSS / 1024, 0),
  };
}

/**
 * One deployment more in a full plan of 1,000 devices: what it takes, and what else moves. A small one has room as it
 * is; for another one, others may have to move.
 */
function measureAdded(plans) {
  const found = { small: { times: [], moves: [] }, any: { times: [], moves: [] } };
  for (let seed = 1; seed <= plans; seed += 1) {
    const all = makeFleet({ seed, devices: 1000, deployments: 500, load: 0.95, priorities: 1 });
    const [any, ...others] = all.demands.toReversed();
    const before = planFleet({ ...all, demands: others });
    const placed = others.map((demand) => {
      const own = before.instances.filter(({ deployment }) => deployment === demand.deployment);
      return {
        ...demand,
        replicas: own.length,
        previous: own.map(({ option, parts }, replica) => ({ replica, option, parts })),
      };
    });
    const option = { name: "tp1", stage: 0, devices: 1, bytesPerDevice: 2 ** 30, ramBytes: 0 };
    const small = { deployment: "small", replicas: 1, hostSelector: {}, strategy: "spread", options: [option] };
    for (const [kind, added] of Object.entries({ small, any })) {
      let plan;
      found[kind].times.push(milliseconds(() => (plan = planFleet({ ...all, demands: [...placed, added] }))));
      found[kind].moves.push(
        plan.instances.filter(({ deployment, kept }) => deployment !== added.deployment && !kept).length,
      );
    }
  }
  const describe = ({ times, moves }) => ({ ...percentiles(times), mostMoves: Math.max(...moves) });
  return { plans, ...describe(found.small), any: describe(found.any) };
}

function measureGrowth() {
  return [500, 1000, 2000, 4000, 8000].map((devices) => {
    const { medianMs } = measurePlans({ devices, deployments: devices / 2, plans: 3 });
    return { devices, medianMs, perDeviceLogUs: round((medianMs * 1000) / (devices * Math.log2(devices)), 3) };
  });
}

function percentiles(times) {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share) => round(sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)], 1);
  return { medianMs: at(0.5), p95Ms: at(0.95), maxMs: at(1) };
}

// What a process compiles at first is not part of a plan.
measurePlans({ devices: 64, deployments: 60, plans: 5 });
const parts = {
  small: () => measurePlans({ devices: 64, deployments: 60, plans: 60 }),
  medium: () => measurePlans({ devices: 1000, deployments: 500, plans: 20 }),
  large: () => measurePlans({ devices: 10_000, deployments: 5000, plans: 3 }),
  added: () => measureAdded(20),
  growth: () => measureGrowth(),
};
console.log(JSON.stringify(parts[part]()));
