import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";

import { compareVersions, covers, satisfies } from "../../../src/catalog/version.js";
import { parseConstraint, sameVersion } from "../../../src/schema/version-constraint.js";
import { pythonOracle } from "../support/python-oracle.js";
import { thrownBy } from "../support/thrown.js";

/** As in `backends/llama-cpp.yaml`: wheels are named year.month.build, releases by the build alone. */
const llamaBuilds = "^(?:b|\\d{4}\\.\\d{1,2}\\.)(\\d+)$";

/** The reference implementation of PEP 440, which pip brings. */
const packaging = `
try:
    from pip._vendor.packaging.version import Version
except ImportError:
    import ensurepip, glob, os, sys
    wheels = os.path.join(os.path.dirname(ensurepip.__file__), "_bundled", "pip-*.whl")
    sys.path[:0] = glob.glob(wheels) + glob.glob("/usr/share/python-wheels/pip-*.whl")
    from pip._vendor.packaging.version import Version
from pip._vendor.packaging.specifiers import SpecifierSet

def answer(question):
    if "a" in question:
        a, b = Version(question["a"]), Version(question["b"])
        return (a > b) - (a < b)
    return int(SpecifierSet(question["constraint"]).contains(Version(question["version"]), prereleases=True))
`;
const askPackaging = pythonOracle(packaging, z.int());

const small = fc.oneof(fc.nat({ max: 2 }), fc.nat({ max: 12 }));
const part = (...written: string[]) =>
  fc.oneof(
    { weight: 3, arbitrary: fc.constant("") },
    fc.tuple(fc.constantFrom(...written), small).map((p) => p.join("")),
  );
const release = fc.array(small, { minLength: 1, maxLength: 4 }).map((numbers) => numbers.join("."));
const publicVersion = fc
  .tuple(release, part("a", "b", "rc", ".RC", "-rc.", "alpha"), part(".post", "-"), part(".dev", "dev"))
  .map((parts) => parts.join(""));
const suffix = fc.constantFrom("", "a1", "rc2", ".post1", ".post2", ".dev3", "rc2.post1.dev1");
const local = fc.oneof({ weight: 2, arbitrary: fc.constant("") }, fc.constantFrom("+cu128", "+cu9", "+1", "+cpu.2"));
const pep440 = fc.tuple(publicVersion, local).map((parts) => parts.join(""));

const build = fc.nat({ max: 20 });
const wheel = fc.tuple(fc.constantFrom("2026", "2025"), fc.integer({ min: 8, max: 12 }), build).map((p) => p.join("."));
const buildName = build.map((number) => `b${number}`);
const otherName = fc.stringMatching(/^[A-Za-z0-9]{1,3}(?:[._+-][A-Za-z0-9]{1,3}){0,3}$/);
const anyVersion = fc.oneof(
  pep440,
  pep440.map((version) => `v${version}`),
  wheel,
  buildName,
  otherName,
);
const anyBuildNumber = fc.constantFrom(undefined, llamaBuilds);

describe("sameVersion", () => {
  it.each([
    ["v0.19.0", "0.19.0", true],
    ["0.19.0", "0.19.0", true],
    ["v0.19.0", "v0.19.0", true],
    ["0.19", "0.19.0", false],
    ["0.19.0rc1", "0.19.0RC1", false],
    ["V0.19.0", "0.19.0", false],
    ["vv1", "v1", false],
    ["vnext", "next", false],
    ["1.0", "1.0+cu128", false],
  ])("of %s and %s is %s", (a, b, same) => {
    expect([sameVersion(a, b), sameVersion(b, a)]).toEqual([same, same]);
  });
});

describe("compareVersions", () => {
  const expectAscending = (versions: readonly string[], buildNumber?: string) => {
    const shuffled = [...versions.filter((_, i) => i % 2 === 1).reverse(), ...versions.filter((_, i) => i % 2 === 0)];
    expect(shuffled.sort((a, b) => compareVersions(a, b, buildNumber))).toEqual(versions);
  };

  it("sorts release numbers as PEP 440 does, with the local part last", () => {
    expectAscending([
      ...["0.9", "0.10.0", "0.10.1.1", "1.0.dev1", "1.0a1.dev1", "1.0a1", "1.0b2", "1.0rc1", "1.0", "v1.0+cu128"],
      ...["1.0.post1.dev1", "1.0.post1", "1.0.1", "2.0.RC1", "2.0.RC2", "2.0", "2026.9.11063", "2026.10.11549"],
    ]);
  });

  it("sorts builds by number", () => {
    expectAscending(["b9", "b10", "b999", "b11434", "b11435"]);
  });

  it("sorts what is neither a release number nor a build by its text, before those", () => {
    expectAscending(["0.9.0-custom", "0.19.0-custom", "b7", "latest", "0.1"]);
  });

  it("sorts wheels by date and releases by build by the one build number that both hold", () => {
    const versions = ["b9000", "2026.9.11063", "b11434", "2026.10.11549", "b11550"];
    expectAscending(versions, llamaBuilds);
    expect(compareVersions("2026.10.11549", "b11434", llamaBuilds)).toBeGreaterThan(0);
    // A month cannot outweigh the build.
    expect(compareVersions("2026.12.100", "2026.1.101", llamaBuilds)).toBeLessThan(0);
  });

  it("sorts what holds no build number before what does", () => {
    expectAscending(["nightly", "0.1", "2027.1", "b1", "2026.1.2"], llamaBuilds);
  });

  it("refuses a buildNumber that is no regular expression", () => {
    const error = thrownBy(() => compareVersions("b1", "b2", "b("));
    expect([error.code, error.message]).toEqual([
      "file-invalid",
      "a backend's buildNumber is not a regular expression\n  got: b(",
    ]);
  });

  it("orders any two release numbers as the reference implementation does", async () => {
    const nearBy = fc
      .tuple(pep440, local)
      .map(([version, other]) => [version, version.replace(/\+.*|$/, other)] as const);
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.tuple(pep440, pep440), nearBy), async ([a, b]) => {
        const order = await askPackaging({ a, b });
        // Those that PEP 440 calls equal are put in order by their text.
        if (order !== 0) expect(Math.sign(compareVersions(a, b))).toBe(order);
        else expect(satisfies(a, { ...parseConstraint(`>=${b} <=${b}`), prereleases: true })).toBe(true);
      }),
      { numRuns: 10_000 },
    );
  });

  it("is a total order on any names, and 0 for the same version only", () => {
    fc.assert(
      fc.property(anyVersion, anyVersion, anyVersion, anyBuildNumber, (a, b, c, buildNumber) => {
        const order = (x: string, y: string) => Math.sign(compareVersions(x, y, buildNumber));
        expect(order(a, b)).toBe(0 - order(b, a));
        expect(order(a, b) === 0).toBe(sameVersion(a, b));
        if (order(a, b) <= 0 && order(b, c) <= 0) expect(order(a, c)).toBeLessThanOrEqual(0);
      }),
      { numRuns: 10_000 },
    );
  });
});

describe("a version constraint", () => {
  const fits = (constraint: string, versions: readonly string[], buildNumber?: string) =>
    versions.filter((version) => satisfies(version, parseConstraint(constraint), buildNumber));
  const releases = [
    "0.9.2",
    "0.10.0",
    "0.11.1",
    "0.12",
    "0.12.0rc1",
    "v0.12.1",
    "0.19.0",
    "0.19.1.post1",
    "0.19.1+cu128",
  ];

  it.each<[string, string[]]>([
    ["0.19.0", ["0.19.0"]],
    ["v0.19.0", ["0.19.0"]],
    ["0.12.1", ["v0.12.1"]],
    ["0.19", []],
    ["0.12.0", []],
    ["0.12.0rc1", ["0.12.0rc1"]],
    ["0.19.x", ["0.19.0", "0.19.1.post1", "0.19.1+cu128"]],
    ["0.19.*", ["0.19.0", "0.19.1.post1", "0.19.1+cu128"]],
    ["v0.19.X", ["0.19.0", "0.19.1.post1", "0.19.1+cu128"]],
    ["==0.19.*", ["0.19.0", "0.19.1.post1", "0.19.1+cu128"]],
    ["0.1.x", []],
    ["0.12.0.x", ["0.12"]],
    [">=0.10 <0.12", ["0.10.0", "0.11.1"]],
    [">=0.10,<0.12", ["0.10.0", "0.11.1"]],
    [" >= 0.10 , < 0.12 ", ["0.10.0", "0.11.1"]],
    [">0.10 <=0.12", ["0.11.1", "0.12"]],
    [">=0.10 !=0.11.1 <0.12", ["0.10.0"]],
    [">=0.10 !=0.19.* !=0.12", ["0.10.0", "0.11.1", "v0.12.1"]],
    ["=0.12.0", ["0.12"]],
    ["==0.12.0", ["0.12"]],
    ["==0.19.1", ["0.19.1+cu128"]],
    [">0.19.1", []],
    [">=0.12.0rc1 <0.13", ["0.12", "0.12.0rc1", "v0.12.1"]],
    [">=0.11.1rc1 <0.12", ["0.11.1"]],
    ["<0.12", ["0.9.2", "0.10.0", "0.11.1"]],
    ["~=0.12.0", ["0.12", "v0.12.1"]],
    ["~=0.10", releases.filter((version) => version !== "0.9.2" && version !== "0.12.0rc1")],
    ["~=0.19.0.0", ["0.19.0"]],
    ["*", releases.filter((version) => version !== "0.12.0rc1")],
    ["!=0.12.0rc1", releases.filter((version) => version !== "0.12.0rc1")],
    [">=2", []],
  ])("%j fits %j", (constraint, versions) => {
    expect(fits(constraint, releases)).toEqual(versions);
  });

  it.each<[string, string[]]>([
    ["b11434", ["b11434"]],
    [">=b11434", ["b11434", "b11550", "2026.10.11549"]],
    [">b11434 <b11550", ["2026.10.11549"]],
    ["<2026.10.11549", ["b11434", "2026.9.11063"]],
    ["2026.x", ["2026.9.11063", "2026.10.11549"]],
    ["2026.9.x", ["2026.9.11063"]],
    ["==b11549", ["2026.10.11549"]],
    ["b11549", []],
    ["!=b11549", ["b11434", "b11550", "2026.9.11063"]],
    // A year and a month are no build: such versions have no order to it.
    [">=2026.9", []],
    ["<2026.9", []],
    ["*", ["b11434", "b11550", "2026.9.11063", "2026.10.11549"]],
  ])("%j fits %j where versions hold a build number", (constraint, versions) => {
    expect(fits(constraint, ["b11434", "b11550", "2026.9.11063", "2026.10.11549"], llamaBuilds)).toEqual(versions);
  });

  it("compares names with names alone", () => {
    const versions = ["b7", "b8", "b10", "1.0", "1.0-custom"];
    expect(fits(">=b8", versions)).toEqual(["b8", "b10"]);
    expect(fits(">=0.1", versions)).toEqual(["1.0"]);
    expect(fits("1.x", versions)).toEqual(["1.0", "1.0-custom"]);
    expect(fits("1.0-custom", versions)).toEqual(["1.0-custom"]);
  });

  it.each([
    ...["", " ", ",", ">=1,", "1..0", ">=", ">", "=>1", "^1.0", "1.0 || 2.0", "1.0 - 2.0", ">=1.x", "~=1", "~=b1"],
    ...["~=1.*", "1.x.x", "x.1", "1.*.2", "===1.0", "<>1.0", "1.0 2.0", "1.0 >=0.9", "1.0-", "../1", "1.0;x", "-1"],
  ])("refuses %j and says what it expects", (text) => {
    const error = thrownBy(() => parseConstraint(text, "stacks/local.yaml:3:5"));
    expect(error.code).toBe("file-invalid");
    expect(error.parts.where).toBe("stacks/local.yaml:3:5");
    expect(error.parts.got).toBe(JSON.stringify(text));
    expect(error.parts.expected).toBe(
      "one version, such as 0.19.0 or b11434, or terms such as 0.19.x, >=0.10 <0.12, !=0.11.1, ~=0.19.2 or *",
    );
  });

  it("names the term that it cannot read", () => {
    expect(thrownBy(() => parseConstraint(">=0.10 <0.x")).parts.what).toBe(
      'the version constraint cannot be read at "<0.x"',
    );
  });

  const satisfiesAsAsked = ({ constraint, version }: { constraint: string; version: string }) =>
    Number(satisfies(version, { ...parseConstraint(constraint), prereleases: true }));

  it("holds for what PEP 440's reference implementation says, operator by operator", async () => {
    const question = fc
      .tuple(fc.constantFrom("==", "!=", "<=", ">=", "<", ">"), publicVersion, pep440, suffix)
      .chain(([sign, operand, other, end]) => {
        const version = fc.constantFrom(
          other,
          operand,
          `${/^[\d.]+/.exec(operand)?.[0].replace(/\.$/, "") ?? ""}${end}`,
        );
        return fc.record({ constraint: fc.constant(`${sign}${operand}`), version });
      })
      // Old versions of pip leave out more than PEP 440 does.
      .filter(({ constraint, version }) => !/^>[^=]/.test(constraint) || !version.includes("+"))
      .filter(({ constraint }) => !/^<[^=].*(?:post|-\d)|^>[^=].*(?:a|b|rc|dev)/i.test(constraint));
    await fc.assert(
      fc.asyncProperty(question, async (asked) => {
        expect(satisfiesAsAsked(asked)).toBe(await askPackaging(asked));
      }),
      { numRuns: 10_000 },
    );
  });

  it.each([
    ["<5.post10", "5rc2", true],
    ["<5.post10", "5.post10.dev1", false],
    ["<5", "5rc2", false],
    ["<5rc2", "5rc1", true],
    [">5rc1", "5.post1", true],
    [">5rc1", "5rc1.post1", false],
    [">5rc1.post1", "5rc1.post2", true],
    [">5.dev1", "5.post1", true],
    [">5.post1", "5.post2+cu128", true],
    [">5.post1", "5.post1+cu128", false],
    [">5.0", "5.post1", false],
    ["==2.0.*", "2a0", true],
    ["~=12.0-rc.0", "12.0", true],
  ])(
    "%s holds for %s as PEP 440 says, also where old versions of pip do not follow it: %s",
    (constraint, version, is) => {
      expect(satisfiesAsAsked({ constraint, version })).toBe(Number(is));
    },
  );

  it("by components holds for what the reference implementation says", async () => {
    const operator = fc.constantFrom("==*", "!=*", "~=");
    const question = fc
      .tuple(operator, release, release, suffix, suffix, local)
      // Old versions of pip go another way where a version with a suffix has fewer components than the prefix.
      .filter(([, prefix, version]) => version.split(".").length >= prefix.split(".").length)
      .filter(([sign, prefix]) => sign !== "~=" || prefix.includes("."))
      .map(([sign, prefix, version, ofConstraint, ofVersion, localPart]) => ({
        constraint: sign === "~=" ? `~=${prefix}${ofConstraint}` : `${sign.slice(0, 2)}${prefix}.*`,
        version: version + ofVersion + localPart,
      }));
    await fc.assert(
      fc.asyncProperty(question, async (asked) => {
        expect(satisfiesAsAsked(asked)).toBe(await askPackaging(asked));
      }),
      { numRuns: 10_000 },
    );
  });

  it("takes no pre-release that it does not name", () => {
    fc.assert(
      fc.property(
        release,
        release,
        fc.constantFrom("rc1", "a2", "b3", ".dev4"),
        fc.constantFrom(">=", "<", "!=", "~="),
        (a, b, suffix, sign) => {
          fc.pre(sign !== "~=" || b.includes("."));
          expect(satisfies(`${a}${suffix}`, parseConstraint(`${sign}${b}`))).toBe(false);
          expect(satisfies(`${a}${suffix}`, parseConstraint(`${a}${suffix}`))).toBe(true);
        },
      ),
    );
  });

  it("never throws on anything but its own text", () => {
    // A component that is only an x is a wildcard, not a version's name.
    const anyOperand = anyVersion.filter((name) => !/(?:^|\.)x(?:\.|$)/i.test(name));
    fc.assert(
      fc.property(anyVersion, anyOperand, anyBuildNumber, (version, operand, buildNumber) => {
        for (const sign of ["", ">=", "<", "!=", "=="])
          expect(typeof satisfies(version, parseConstraint(`${sign}${operand}`), buildNumber)).toBe("boolean");
      }),
      { numRuns: 10_000 },
    );
  });
});

describe("covers", () => {
  it.each<[string, string, boolean]>([
    ["*", "2.2.RC1", true],
    ["*", "nightly", true],
    ["<0.11.1", "0.11.1rc1", true],
    [">=0.11.1", "0.11.1rc1", false],
    [">0.11.0", "0.11.0.post1", true],
    ["0.11.x", "0.11.1rc1", true],
    ["0.11.1", "v0.11.1", true],
    ["!=0.11.*", "0.11.1rc1", false],
  ])("%s covers %s: %s", (constraint, version, is) => {
    expect(covers(version, parseConstraint(constraint))).toBe(is);
  });

  it("has every release number in one of two ranges that meet, and whatever satisfies a constraint", () => {
    fc.assert(
      fc.property(pep440, publicVersion, (version, border) => {
        const [below, above] = [parseConstraint(`<${border}`), parseConstraint(`>=${border}`)];
        expect([covers(version, below), covers(version, above)].filter(Boolean)).toHaveLength(1);
        for (const range of [below, above]) if (satisfies(version, range)) expect(covers(version, range)).toBe(true);
      }),
    );
  });
});
