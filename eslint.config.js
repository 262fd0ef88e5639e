import tseslint from "typescript-eslint";

/** Only these files may read the process environment: they are where a process of ours begins. */
const entryPoints = [
  "src/cli/main.ts",
  "src/program.ts",
  "src/pulumi/command.ts",
  "src/pulumi/provider.ts",
  "src/pulumi/stack.ts",
];

export default tseslint.config(
  { ignores: ["dist/**", "node_modules/**", ".berth/**", "coverage/**"] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ["*.js", "tools/*.mjs"] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-unused-vars": ["error", { varsIgnorePattern: "^_", argsIgnorePattern: "^_" }],
      "@typescript-eslint/no-non-null-assertion": "error",
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "max-lines-per-function": ["error", { max: 60, skipBlankLines: true, skipComments: true }],
      "max-lines": ["error", { max: 350, skipBlankLines: true, skipComments: true }],
      "no-restricted-syntax": [
        "error",
        { selector: "ExportDefaultDeclaration", message: "Export by name." },
        { selector: "TSEnumDeclaration", message: "Use a union of strings." },
      ],
      eqeqeq: "error",
    },
  },
  {
    files: ["src/**/*.ts"],
    ignores: entryPoints,
    rules: {
      "no-restricted-properties": [
        "error",
        { object: "process", property: "env", message: "Read the environment at an entry point and pass it in." },
      ],
    },
  },
  {
    files: ["test/**", "bench/**"],
    rules: { "max-lines-per-function": "off" },
  },
  {
    files: ["**/*.mjs", "**/*.js", "**/*.cjs", "vitest.config.ts"],
    extends: [tseslint.configs.disableTypeChecked],
    rules: { "no-restricted-syntax": "off" },
  },
);
