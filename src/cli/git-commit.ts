import { execa } from "execa";

/** The commit that is checked out, when it has a file as it is here; undefined where Git does not tell. */
export async function findCommit(root: string, file: string): Promise<string | undefined> {
  const git = async (...args: string[]) => {
    const { exitCode, stdout } = await execa("git", args, { cwd: root, reject: false });
    return exitCode === 0 ? stdout.trim() : undefined;
  };
  const [head, committed, present] = [
    await git("rev-parse", "HEAD"),
    await git("rev-parse", `HEAD:./${file}`),
    await git("hash-object", "--", file),
  ];
  return committed !== undefined && committed === present ? head : undefined;
}
