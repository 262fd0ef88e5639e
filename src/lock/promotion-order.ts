/** Between which environments releases go, and who may send them. Pure. */
import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import type { EnvironmentsFile } from "../schema/environments.js";

export interface OrderProblem {
  /** Undefined where the project has no such file. */
  readonly file: EnvironmentsFile | undefined;
  readonly from: string;
  readonly to: string;
  /** Address of whoever promotes, as git says. */
  readonly email: string | undefined;
  /** Why the order may be left; undefined when it may not. */
  readonly reason: string | undefined;
}

const where = "stacks/environments.yaml";

/**
 * What is overruled by a promotion, one sentence each; none when it goes from one environment to the next.
 *
 * @throws BerthError `promotion-refused` when it may not be
 */
export function checkOrder({ file, from, to, email, reason }: OrderProblem): string[] {
  if (file === undefined) {
    throw new BerthError("file-not-found", {
      where,
      what: "there is no such file, so nobody knows in which order releases go through environments",
      hint: `write it: schemaVersion: 1, order: [${from}, ${to}]`,
    });
  }
  const { order } = file;
  const unknown = [from, to].find((name) => !order.includes(name));
  if (unknown !== undefined)
    throw new BerthError("usage", { where, what: "no such environment", got: unknown, expected: order.join(" or ") });
  checkPromoter(file, to, email);
  const [first, last] = [order.indexOf(from), order.indexOf(to)];
  if (last === first + 1) return [];
  const path = order.slice(Math.min(first, last), Math.max(first, last) + 1).join(" -> ");
  const isBack = last <= first;
  if (reason !== undefined && !isBack) return [`the order ${path} was left`];
  throw new BerthError("promotion-refused", {
    where,
    what: isBack ? "releases do not go back this way" : "an environment would be left out",
    got: `${from} -> ${to}`,
    expected: isBack ? order.join(" -> ") : path,
    hint: isBack
      ? "`berth rollback ENVIRONMENT` takes a release back"
      : "promote step by step; --force with --reason leaves the order, and is written down",
  });
}

/** @throws BerthError `promotion-refused` for somebody who may not change the releases of an environment */
export function checkPromoter(file: EnvironmentsFile | undefined, to: string, email: string | undefined): void {
  const promoters = lookUp(file?.environments ?? {}, to)?.promoters;
  if (promoters === undefined || (email !== undefined && promoters.includes(email))) return;
  throw new BerthError("promotion-refused", {
    where,
    what: `not everybody may promote to ${to}`,
    got: email ?? "nobody: git does not tell an address",
    expected: promoters.join(" or "),
    hint: "ask one of them; who it is stands in `git config user.email`",
  });
}
