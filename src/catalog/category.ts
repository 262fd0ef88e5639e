import { BerthError } from "../lib/errors.js";
import type { BackendFile } from "../schema/backend.js";
import type { ModelCategory } from "./selection.js";

/**
 * What a deployment's model does: as it says, else the only thing that the backend's models do.
 *
 * @throws BerthError `stack-inconsistent` when the backend does not serve that, or when it is not clear
 */
export function chooseCategory(
  { name, categories }: Pick<BackendFile, "name" | "categories">,
  said: ModelCategory | undefined,
  where: string,
): ModelCategory {
  if (categories === undefined) return said ?? "llm";
  const [only, ...others] = categories;
  const chosen = said ?? (others.length === 0 ? only : undefined);
  if (chosen !== undefined && categories.includes(chosen)) return chosen;
  throw new BerthError("stack-inconsistent", {
    where,
    what: said === undefined ? `it is not told what the model of ${name} does` : `${name} serves no such models`,
    ...(said === undefined ? {} : { got: `category: ${said}` }),
    expected: `category: ${categories.join(" or ")}`,
    hint: said === undefined ? "add `category` to the deployment" : "correct the category, or choose another backend",
  });
}
