// The design's one-way dependencies. Each layer may use the layers below it, never one above.
const layers = [
  ["lib"],
  ["schema"],
  ["host", "model", "catalog"],
  ["planner", "runtime", "install", "health"],
  ["resources", "lock"],
  ["bundle"],
  ["pulumi", "cli"],
];

const upward = layers.flatMap((folders, level) => {
  const above = layers.slice(level + 1).flat();
  return above.length === 0
    ? []
    : [
        {
          name: `${folders.join("-")}-uses-only-what-is-below`,
          severity: "error",
          from: { path: `^src/(${folders.join("|")})/` },
          to: { path: `^src/(${above.join("|")})/|^src/(program|index)\\.ts$` },
        },
      ];
});

const pure = ["schema", "catalog", "model", "planner"];
const io =
  "^(node:)?(fs|fs/promises|child_process|net|http|https|dns|os|process|timers|timers/promises|worker_threads)$";

module.exports = {
  forbidden: [
    ...upward,
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    {
      name: "pure-folders-do-no-io",
      severity: "error",
      comment: "Decisions are pure functions: files, processes, network and time come in as arguments.",
      from: { path: `^src/(${pure.join("|")})/` },
      to: { path: io },
    },
    {
      name: "pulumi-only-at-its-edge",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(pulumi/|program\\.ts|index\\.ts)" },
      to: { path: "node_modules/@pulumi/" },
    },
    {
      name: "lib-knows-nothing-of-berth",
      severity: "error",
      from: { path: "^src/lib/" },
      to: { path: "^src/(?!lib/)" },
    },
    {
      name: "no-test-code-in-src",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^(test|bench)/" },
    },
    {
      name: "not-to-dev-dependency",
      severity: "error",
      from: { path: "^src/" },
      to: { dependencyTypes: ["npm-dev"], pathNot: "node_modules/@pulumi/(pulumi|command|docker)/" },
    },
    {
      name: "resolvable",
      severity: "error",
      from: { path: "^src/" },
      to: { couldNotResolve: true, pathNot: "^pulumi-berth" },
    },
    {
      name: "no-orphans",
      severity: "error",
      from: {
        orphan: true,
        path: "^src/",
        pathNot: "^src/(program|index)\\.ts$|^src/pulumi/(provider|command)\\.ts$|^src/cli/main\\.ts$",
      },
      to: {},
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "require", "node", "default", "types"],
    },
  },
};
