import { describe, expect, it } from "vitest";

import {
  parseHealth,
  parseIdle,
  parseMap,
  parseSessions,
  parseStates,
  parseWorkers,
  splitAnswers,
} from "../../../src/runtime/haproxy-control.js";

describe("parseStates", () => {
  const table = (rows: [string, number][]) =>
    [
      "1",
      "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight",
      ...rows.map(([name, admin], index) => `2 chat-0:127.0.0.1:14000 ${index} ${name} 127.0.0.1 2 ${admin} 1`),
      "",
    ].join("\n");

  it.each([
    ["as started", 0, true],
    ["disabled in the file and made ready since", 4, true],
    ["disabled in the file", 5, false],
    ["in maintenance", 1, false],
    ["draining", 8, false],
    ["without an address for its name", 32, true],
  ])("tells whether requests are sent to a server that is %s", (_, admin, serves) => {
    expect([...parseStates(table([["port-14001", admin]]))]).toEqual([["chat-0:127.0.0.1:14000/port-14001", serves]]);
  });

  it("finds none where none is", () => {
    expect(parseStates("1\n# be_id be_name srv_id srv_name\n\n").size).toBe(0);
    expect(parseStates("").size).toBe(0);
  });
});

describe("parseWorkers", () => {
  it("tells the worker that takes new requests from those that finish theirs", () => {
    const text = `\
#<PID>          <type>          <reloads>       <uptime>        <version>
1162            master          5 [failed: 0]   0d00h02m07s     2.6.12
# workers
1271            worker          1               0d00h00m00s     2.6.12
# old workers
1233            worker          3               0d00h00m43s     2.6.12
1190            worker          4               0d00h01m43s     2.6.12
# programs
1244            prog            0               0d00h00m00s     -
`;
    expect(parseWorkers(text)).toEqual({ current: 1271, old: [1233, 1190], failed: false });
    expect(parseWorkers(text.replace("failed: 0", "failed: 2"))).toMatchObject({ failed: true });
    expect(parseWorkers("")).toEqual({ current: undefined, old: [], failed: false });
  });
});

describe("parseSessions", () => {
  it("counts the requests in progress on one server of every proxy of an instance", () => {
    const text = `\
# pxname,svname,qcur,qmax,scur,smax,
chat-0:127.0.0.1:14000,FRONTEND,,,9,9,
chat-0:127.0.0.1:14000,port-14001,0,0,2,3,
chat-0:127.0.0.1:14000,port-14002,0,0,4,5,
chat-0:0.0.0.0:14000,port-14001,0,0,1,3,
chat-01:0.0.0.0:14000,port-14001,0,0,7,7,
`;
    expect(parseSessions(text, "chat-0:", "port-14001")).toBe(3);
    expect(parseSessions("", "chat-0:", "port-14001")).toBe(0);
  });

  it("counts clients' connections on which nothing is in progress", () => {
    const text = `\
# pxname,svname,qcur,qmax,scur,smax,
chat-0:127.0.0.1:14000,FRONTEND,,,9,9,
chat-0:127.0.0.1:14000,port-14001,0,0,2,3,
chat-0:127.0.0.1:14000,port-14002,0,0,4,5,
chat-0:127.0.0.1:14000,BACKEND,0,0,6,6,
chat-01:0.0.0.0:14000,FRONTEND,0,0,7,7,
`;
    expect(parseIdle(text, "chat-0:")).toBe(3);
    expect(parseIdle("", "chat-0:")).toBe(0);
  });
});

describe("splitAnswers", () => {
  it("gives each answer its own, also when one is empty", () => {
    expect(splitAnswers("Name: HAProxy\ndescription: a\n\n1\n# be_id\n\n\n0x1 chat code\n\n", 4)).toEqual([
      "Name: HAProxy\ndescription: a",
      "1\n# be_id",
      "",
      "0x1 chat code",
    ]);
  });

  it("gives no more than there are, and none that is cut off", () => {
    expect(splitAnswers("a\n\nb\nc", 3)).toEqual(["a"]);
    expect(splitAnswers("a\n\nb\n\n", 1)).toEqual(["a"]);
    expect(splitAnswers("b", 2)).toEqual([]);
  });
});

describe("parseMap", () => {
  it("reads keys and values", () => {
    const text = "0x7f8a1c005b40 chat deployment:chat\n0x7f8a1c005b90 0|org/chat deployment:code";
    expect([...parseMap(text)]).toEqual([
      ["chat", "deployment:chat"],
      ["0|org/chat", "deployment:code"],
    ]);
  });

  it("finds nothing in one that is empty, or that no rule reads", () => {
    expect(parseMap("").size).toBe(0);
    expect(parseMap("Unknown map identifier. Please use #<id> or <file>.").size).toBe(0);
  });
});

describe("parseHealth", () => {
  it.each([
    ["stopped", 0, false],
    ["starting", 1, false],
    ["running", 2, true],
    ["stopping", 3, false],
  ])("tells whether the checks find a server healthy that is %s", (_, state, isHealthy) => {
    const text = `1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state\n2 deployment:chat 1 chat-0:127.0.0.1:14000 127.0.0.1 ${state} 0\n`;
    expect([...parseHealth(text)]).toEqual([["deployment:chat/chat-0:127.0.0.1:14000", isHealthy]]);
  });
});
