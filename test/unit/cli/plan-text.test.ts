import { describe, expect, it } from "vitest";

import { planText } from "../../../src/cli/plan-text.js";
import { planReport } from "../../../src/planner/report/report.js";
import { fleetSeen, settledSeen } from "../../support/plan-fleet.js";

describe("a plan at a terminal", () => {
  it("shows the deployments, the objects, every device before, meanwhile and after, and the reasons", () => {
    expect(`\n${planText(planReport(fleetSeen()))}\n`).toMatchInlineSnapshot(`
      "
      stack staging   stacks/staging.lock.yaml 7777777 (was 5555555: the stack file was changed)   hosts: 8 of 8 answer
      Read only: nothing on any host was changed, and the lock was not written.

           DEPLOYMENT   CHANGE                       REPLICAS   STRATEGY                 DOWNTIME
       ~   chat         vllm 0.17.1 -> vllm 0.19.0   4          blueGreen, 1 at a time   0 s
       !   code         drift is mended              2          repair                   about 95 s, at most 1200 s
       +   vision       sglang-custom 0.5.10         0 -> 2     create                   -

           OBJECT           NAME
       +   BackendVersion   vllm_0.19.0 on h100-01..04
       +   BackendVersion   sglang-custom_0.5.10 on h100-05, h100-06
       +   ModelFiles       cccccccccccc on h100-05, h100-06

       WHERE                  DEVICE   NOW GiB     PEAK DURING UP   AFTER         OF GiB
       h100-01..04            0..3     chat 71.7   chat 71.7        free          79.6     [#########.] -> [..........]
                              4..7     free        chat' 71.7       chat' 71.7    79.6     [..........] -> [#########.]
       h100-05                0        free        vision 70.0      vision 70.0   79.6     [..........] -> [#########.]
                              1..6     free        free             free          79.6     [..........]
                              7        free        free             free          79.6     [.........x]
       h100-06                0        free        vision 70.0      vision 70.0   79.6     [..........] -> [#########.]
                              1..7     free        free             free          79.6     [..........]
       mi300x-01, mi300x-02   0        code 20.8   code 20.8        code 20.8     192.0    [#.........]
                              1..7     free        free             free          192.0    [..........]
       foreign use: h100-05 device 7, 3.1 GiB, python3 (pid 41822): left alone, counted as taken

       WHY
       chat     vllm 0.17.1 -> vllm 0.19.0
                the runner is started again: backendVersion, installation, argv
                moves: chat-0..3
                4 devices (tp4), each at most: weights 33.9 + cache 34.1 + other 3.7, 71.7 GiB taken, by estimate
       code     drift: code-1 its runner is stopped (exited)
                1 device (tp1): weights 17.3 + cache 3.0 + other 0.5, 20.8 GiB taken, by estimate
       vision   1 device (tp1): weights 15.5 + cache 50.0 + other 4.5, 70.0 GiB taken, by estimate

      CHOSEN
       chat: vllm 0.19.0: named exactly
       vision: sglang-custom 0.5.10: named exactly

      ARGUMENTS
       chat-0..3
         - --gpu-memory-utilization 0.9
         + --kv-cache-memory-bytes 36614596198

      FETCH
       acme/sglang-custom@ccccccc: 16.6 GB x 2, for h100-05, h100-06
       sglang-custom 0.5.10: 11.2 GB x 2, for h100-05, h100-06
       vllm 0.19.0: 11.2 GB x 3, for h100-01..03; h100-04 has it
       h100-01..03: 11.2 GB to fetch, about 4 min 40 s (files.example.net 40.0 MB/s); takes 11.2 GB of 412.0 GB free in /data/berth
       h100-05, h100-06: 21.2 GB to fetch, about 13 min 0 s (files.example.net 40.0 MB/s, huggingface.co 20.0 MB/s); takes 21.2 GB of 412.0 GB free in /data/berth

      LOAD
       chat: about 1 min 35 s on h100-01..04, at the worst of 8 starts that were measured
       code: about 1 min 35 s on mi300x-02, at the worst of 2 starts that were measured
       vision: about 1 min 35 s on h100-05, h100-06, at the worst of 4 starts that were measured

      CHECKED
       8 of 8 hosts answer
       Pulumi's preview looked at 28 objects on their hosts
       the preview and the lock place every replica alike
       20 placed devices are there
       no device holds more than it has, at any moment, of what is known
       2 new ports are free
       there is room on the disks for what is fetched, as far as its size is known

      IF IT FAILS
       create: what could not be verified is taken away again, and the \`up\` ends with exit code 1
       blueGreen: the old runner serves on, the new one is taken away, and the \`up\` ends with exit code 1
       repair: what runs is left as it is, and the \`up\` ends with exit code 1

      objects: 10 created, 5 changed, 13 unchanged
      Exit code 2: changes are pending.
      "
    `);
  });

  it("of a fleet in which nothing changes ends with that", () => {
    const text = planText(planReport(settledSeen()));
    expect(text).toMatch(/^no changes: everything is as the stack wants it\nExit code 0: nothing is pending\.$/m);
    expect(text).toMatch(/^ = +chat +vllm 0\.19\.0, unchanged +4 +- +-$/m);
    expect(text).not.toContain("->");
  });

  it("says so when the lock alone would be written", () => {
    expect(planText(planReport({ ...settledSeen(), isNewLock: true }))).toContain(
      "the lock alone would be written anew\nExit code 2: changes are pending.",
    );
  });
});
