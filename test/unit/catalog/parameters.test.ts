import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { checkArchitecture, readParameters, splitParameters, unknownFlags } from "../../../src/catalog/parameters.js";
import { thrownBy } from "../support/thrown.js";

const where = "deployment chat";

describe("splitParameters", () => {
  it.each<[string[], string[]]>([
    [[], []],
    [
      ["--a", "1", "-b", "x y"],
      ["--a", "1", "-b", "x y"],
    ],
    [["--max-model-len 8192"], ["--max-model-len", "8192"]],
    [["-tp 2"], ["-tp", "2"]],
    [["--flash-attn "], ["--flash-attn"]],
    [
      ["--a=1 --b 2", "--c"],
      ["--a=1", "--b", "2", "--c"],
    ],
    [["--a=1 -b"], ["--a=1", "-b"]],
    [["--a 1 --b='x y' -c"], ["--a", "1", "--b=x y", "-c"]],
    [["--a 1 \\\n --b\n"], ["--a", "1", "\n", "--b"]],
    [[`--override '{"a": 1}'`], ["--override", '{"a": 1}']],
    [["--template {{ messages }} {{port}}"], ["--template", "{{", "messages", "}}", "{{port}}"]],
    [["--cache $HOME #x"], ["--cache", "$HOME", "#x"]],
    // One argument as it is written: no flag and a blank at its beginning.
    [[`--override={"a": "b c"}`], [`--override={"a": "b c"}`]],
    [["--prompt=You are kind"], ["--prompt=You are kind"]],
    [["--stop=| ; $(x)"], ["--stop=| ; $(x)"]],
    [
      ["a --b c", " --b c", "- item", "-1 2", ""],
      ["a --b c", " --b c", "- item", "-1 2", ""],
    ],
    [
      ["--a", "'quoted'", "back\\slash", "{{port}}", "a|b"],
      ["--a", "'quoted'", "back\\slash", "{{port}}", "a|b"],
    ],
  ])("makes %j the arguments %j", (parameters, words) => {
    expect(splitParameters(parameters, where)).toEqual(words);
  });

  it.each([
    ["--a 1 | tee log", "deployment chat: a parameter holds the shell operator | at column 7"],
    ["--a 'open", "deployment chat: a parameter has a quote ' that stays open at column 5"],
  ])("refuses a pasted line that cannot be split: %s", (parameter, message) => {
    const error = thrownBy(() => splitParameters([parameter], where));
    expect([error.code, error.message.split("\n")[0]]).toEqual(["command-invalid", message]);
  });

  it("leaves what it has split as it is, and what holds no blank", () => {
    const word = fc.stringMatching(/^[A-Za-z0-9=_{}"'$#./|-]{0,8}$/);
    fc.assert(
      fc.property(fc.array(word), (words) => {
        expect(splitParameters(words, where)).toEqual(words);
      }),
    );
    const flag = fc.stringMatching(/^--[a-z]{1,5}$/);
    const value = fc.stringMatching(/^[a-z0-9]{1,5}$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(flag, value), { minLength: 1 }), (pairs) => {
        expect(splitParameters([pairs.flat().join(" ")], where)).toEqual(pairs.flat());
        expect(splitParameters([pairs.map((pair) => pair.join("=")).join(" ")], where)).toEqual(
          pairs.map((pair) => pair.join("=")),
        );
      }),
    );
  });
});

const flags = {
  host: ["--host"],
  port: ["--port", "-p"],
  servedModel: ["--served-model-name", "--alias", "-a"],
  tensorParallelSize: ["--tensor-parallel-size", "-tp"],
  pipelineParallelSize: ["--pipeline-parallel-size", "-pp"],
};
const owned = ["--api-key", "--api-key-file", "-m", "--model"];
const read = (...parameters: string[]) => readParameters(parameters, flags, owned, ["--ctx-size", "-c"], where);

describe("readParameters", () => {
  it.each<[string[], ReturnType<typeof read>]>([
    [[], { rest: [] }],
    [["--fast", "--x", "1"], { rest: ["--fast", "--x", "1"] }],
    [["--fast", "--port", "8000", "--x"], { rest: ["--fast", "--x"], port: 8000 }],
    [["--port=8000"], { rest: [], port: 8000 }],
    [["-p", "8000"], { rest: [], port: 8000 }],
    [["-p8000"], { rest: [], port: 8000 }],
    [["-p=8000"], { rest: [], port: 8000 }],
    [["--host", "0.0.0.0"], { rest: [], host: "0.0.0.0" }],
    [["--host=::1"], { rest: [], host: "::1" }],
    [["--served-model-name", "qwen", "--fast"], { rest: ["--fast"], servedModel: "qwen" }],
    [["--served_model_name=qwen"], { rest: [], servedModel: "qwen" }],
    [["--alias=-x=y"], { rest: [], servedModel: "-x=y" }],
    [["-a", "org/model 2"], { rest: [], servedModel: "org/model 2" }],
    [["--tensor-parallel-size", "2"], { rest: ["--tensor-parallel-size", "2"], tensorParallelSize: 2 }],
    [["-pp", "2", "--a", "--pipeline-parallel-size=2"], { rest: ["-pp", "2", "--a"] }],
    [["--a", "-tp=4", "--b"], { rest: ["--a", "-tp=4", "--b"], tensorParallelSize: 4 }],
    [
      ["--tensor_parallel_size", "2", "--b", "-tp", "2"],
      { rest: ["--tensor_parallel_size", "2", "--b"], tensorParallelSize: 2 },
    ],
    [["--port", "1", "-p1", "--port=1"], { rest: [], port: 1 }],
    [
      ["--host", "::", "--port=1", "--alias", "m", "-tp", "8"],
      { rest: ["-tp", "8"], host: "::", port: 1, servedModel: "m", tensorParallelSize: 8 },
    ],
  ])("of %j is %j", (parameters, given) => {
    expect(read(...parameters)).toEqual(given);
  });

  it("leaves flags alone that only begin like those, and their names as values", () => {
    const parameters = [
      "--portability",
      "--ctx-size-draft=1",
      "-mg",
      "0",
      "-mg=0",
      "--port-range/1",
      "port",
      "-api-key",
    ];
    expect(read(...parameters)).toEqual({ rest: parameters });
  });

  it.each([
    [["--port"], "this flag has no value", "--port", "a port, 1 to 65535 after --port"],
    [["--port", "--fast"], "this flag has no value", "--port", "a port, 1 to 65535 after --port"],
    [["--alias", "-m"], "this flag has no value", "--alias", "a name after --alias"],
    [["--port="], "this flag takes another kind of value", "--port=", "a port, 1 to 65535 after --port"],
    [["--port", "0"], "this flag takes another kind of value", "--port 0", "a port, 1 to 65535 after --port"],
    [["--port", "65536"], "this flag takes another kind of value", "--port 65536", "a port, 1 to 65535 after --port"],
    [["-p", "80a"], "this flag takes another kind of value", "-p 80a", "a port, 1 to 65535 after -p"],
    [["--port", "8e3"], "this flag takes another kind of value", "--port 8e3", "a port, 1 to 65535 after --port"],
    [["--host", ""], "this flag takes another kind of value", "--host ", "an address after --host"],
    [["-tp", "all"], "this flag takes another kind of value", "-tp all", "a number of devices after -tp"],
    [["-tp=0"], "this flag takes another kind of value", "-tp=0", "a number of devices after -tp"],
  ])("refuses %j: %s", (parameters, what, got, expected) => {
    const error = thrownBy(() => read(...parameters));
    expect([error.code, error.parts]).toEqual(["stack-inconsistent", { where, what, got, expected }]);
  });

  it.each([
    [["--port", "1", "--port=2"], "--port is given twice, with different values", "1 and 2"],
    [["--port", "1", "-p2"], "-p2 is given twice, with different values", "1 and 2"],
    [
      ["--alias", "a", "--served_model_name", "b"],
      "--served_model_name is given twice, with different values",
      "a and b",
    ],
    [
      ["-tp", "1", "--tensor-parallel-size=2"],
      "--tensor-parallel-size is given twice, with different values",
      "1 and 2",
    ],
  ])("refuses two values: %j", (parameters, what, got) => {
    const error = thrownBy(() => read(...parameters));
    expect([error.code, error.parts.what, error.parts.got]).toEqual(["stack-inconsistent", what, got]);
  });

  it("refuses a second name of the model", () => {
    const error = thrownBy(() => read("--served-model-name", "a", "b", "--fast"));
    expect(error.message).toBe(
      "deployment chat: the model is served under one name\n  got: a second one, b\n  to do: give one name",
    );
  });

  it.each([
    ...["--api-key", "--api-key=1", "--api_key_file=/x", "-m", "-m/other.gguf", "-mother.gguf", "-m1", "-m/a=b"],
    "--model=x",
  ])("refuses a flag that Berth alone sets, and tells no value that may be a key: %s", (parameter) => {
    const error = thrownBy(() => read("--fast", parameter, "value"));
    expect([error.code, error.message]).toEqual([
      "stack-inconsistent",
      `deployment chat: Berth itself sets this flag\n  got: ${parameter.split("=", 1)[0] ?? ""}\n  to do: remove it from the parameters`,
    ]);
  });

  it.each(["--ctx-size", "--ctx-size=8192", "--ctx_size=8192", "-c", "-c8192", "-c=8192"])(
    "refuses %s: the context length has a field of its own",
    (parameter) => {
      expect(thrownBy(() => read(parameter, "8192")).message).toBe(
        [
          "deployment chat: the context length has a field of its own",
          `  got: ${parameter}`,
          "  to do: give it as `contextLength`, and remove the flag",
        ].join("\n"),
      );
    },
  );

  it("refuses a context length that is joined to its one letter", () => {
    const error = thrownBy(() => readParameters(["-c8192"], flags, [], ["-c"], where));
    expect(error.message).toContain("the context length has a field of its own\n  got: -c8192");
  });

  it("keeps every other argument in order, and none that binds Berth, in whatever way that is written", () => {
    const written = (gives: object, ...forms: string[]) =>
      fc.constantFrom(...forms).map((form) => ({ words: form.split(" "), gives, stays: false }));
    const other = fc
      .constantFrom("--fast", "-x", "--y=1", "-mg", "--portable", "--hostname=a", "-tpx=1")
      .map((word) => ({ words: [word], gives: {}, stays: true }));
    const piece = fc.oneof(
      other,
      written({ port: 8000 }, "--port 8000", "--port=8000", "-p8000", "-p 8000", "-p=8000"),
      written({ host: "::" }, "--host ::", "--host=::"),
      written({ servedModel: "m" }, "--alias m", "--served_model_name=m", "-a m"),
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        expect(read(...pieces.flatMap(({ words }) => words))).toEqual({
          rest: pieces.flatMap(({ words, stays }) => (stays ? words : [])),
          ...Object.assign({}, ...pieces.map(({ gives }) => gives)),
        });
      }),
    );
  });
});

describe("unknownFlags", () => {
  const known = [
    "--max-model-len",
    "--enforce-eager",
    "--no-enforce-eager",
    "--compilation-config",
    "-O",
    "-tp",
    "-ngl",
  ];

  it("is none where a version does not say what it knows", () => {
    expect(unknownFlags(["--anything"], undefined)).toEqual([]);
  });

  it("is none of known flags, however they are written, and of what is no flag", () => {
    const rest = [
      "--max-model-len",
      "-1",
      "--max_model_len=8",
      "--no-enforce-eager",
      "-tp",
      "2",
      "-tp=2",
      "-O3",
      "-ngl",
    ];
    expect(unknownFlags([...rest, "--compilation-config.level=3", "{}", "-", "--", ""], known)).toEqual([]);
  });

  it.each<[string[], ReturnType<typeof unknownFlags>]>([
    [["--max-model-length", "1"], [{ flag: "--max-model-length", nearest: "--max-model-len" }]],
    [["--enforce-eagre=1"], [{ flag: "--enforce-eagre", nearest: "--enforce-eager" }]],
    [["--quantization"], [{ flag: "--quantization" }]],
    [
      ["-tpx", "--ngl", "-tpx"],
      [
        { flag: "-tpx", nearest: "-tp" },
        { flag: "--ngl", nearest: "-ngl" },
      ],
    ],
    [["--unheard.of=1"], [{ flag: "--unheard.of" }]],
  ])("of %j is %j", (rest, unknown) => {
    expect(unknownFlags(rest, known)).toEqual(unknown);
  });
});

describe("checkArchitecture", () => {
  const served = ["Qwen3ForCausalLM", "LlamaForCausalLM"];

  it("passes an architecture that the version serves, and where one of the two is unknown", () => {
    expect(() => {
      checkArchitecture(served, "Qwen3ForCausalLM", where);
      checkArchitecture(undefined, "Unheard", where);
      checkArchitecture(served, undefined, where);
      checkArchitecture(undefined, undefined, where);
    }).not.toThrow();
  });

  it("refuses another, and says which there are", () => {
    const error = thrownBy(() => {
      checkArchitecture(served, "Qwen4ForCausalLM", where);
    });
    expect([error.code, error.message]).toEqual([
      "stack-inconsistent",
      [
        "deployment chat: this version of the backend does not serve the architecture of the model",
        "  got: Qwen4ForCausalLM",
        "  expected: Qwen3ForCausalLM, LlamaForCausalLM",
        "  to do: choose another version or backend; similar names that it serves: Qwen3ForCausalLM, LlamaForCausalLM",
      ].join("\n"),
    ]);
  });

  it("does not list hundreds", () => {
    const many = Array.from({ length: 300 }, (_, index) => `Architecture${index}`);
    const error = thrownBy(() => {
      checkArchitecture(many, "clip", where);
    });
    expect([error.parts.expected, error.parts.hint]).toEqual(["one of 300", "choose another version or backend"]);
  });

  it("serves none with an empty list", () => {
    expect(
      thrownBy(() => {
        checkArchitecture([], "clip", where);
      }).code,
    ).toBe("stack-inconsistent");
  });
});
