import { BerthError } from "../lib/errors.js";
import { publicHub } from "./repository.js";

/** A repository that was asked for, and by whom. */
export interface AskedRepository {
  readonly repo: string;
  readonly endpoint?: string | undefined;
  readonly hasToken: boolean;
  /** What names the model, or the host that asked, for errors. */
  readonly where: string;
}

/** A repository is given only to those who have accepted its terms, and show who they are. */
export function gatedRepository({ repo, endpoint, hasToken, where }: AskedRepository, got: string): BerthError {
  const page = `${(endpoint ?? publicHub).replace(/\/+$/, "")}/${repo}`;
  const token = hasToken
    ? "see that the account of the token has done so, and that the token may read gated repositories"
    : "give a token of that account: `token: { secret: NAME }` in the model";
  return new BerthError("model-unavailable", {
    where,
    what: `the repository ${repo} is private, or given only to those who have accepted its terms`,
    got,
    hint: `accept them at ${page}, then ${token}`,
  });
}

/** What a lock has found is there no more. */
export function repositoryGone({ repo, where }: AskedRepository, got: string): BerthError {
  return new BerthError("model-unavailable", {
    where,
    what: `the repository ${repo} does not have the commit or the file that is locked`,
    got,
    hint: "it may have been deleted or renamed: check it, then run `berth lock --upgrade-models`",
  });
}
