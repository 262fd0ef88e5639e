// Writes a lock and its record, as a promotion does, and kills itself at a point: an argument is
// { root, path, before, lock, record, killAt } as JSON. A point is before and after each call of the file system, and in
// the middle of what a call writes. Prints how many points there are when it was not killed.
import fileSystem, { open } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

const { root, path, before, lock, record, killAt } = JSON.parse(process.argv[2]);
let points = 0;
/** Loading modules reads files, too. */
let isBegun = false;

function pass() {
  if (!isBegun) return;
  if (points === killAt) process.kill(process.pid, "SIGKILL");
  points += 1;
}

/** @param content which argument is what is written */
function watch(object, name, content) {
  const original = object[name];
  object[name] = async function (...args) {
    pass();
    if (content !== undefined) {
      const half = args.map((arg, index) => (index === content ? arg.slice(0, arg.length / 2) : arg));
      if (isBegun && points === killAt) await original.apply(this, half);
      pass();
    }
    const result = await original.apply(this, args);
    pass();
    return result;
  };
}

const handle = await open(process.execPath);
const handles = Object.getPrototypeOf(handle);
await handle.close();
watch(handles, "writeFile", 0);
for (const name of ["sync", "close"]) watch(handles, name);
watch(fileSystem, "writeFile", 1);
for (const name of ["link", "mkdir", "open", "readFile", "rename", "rm", "stat"]) watch(fileSystem, name);
syncBuiltinESMExports();

const { commitLock } = await import("../../dist/lock/lock-commit.js");
const { writePromotion } = await import("../../dist/lock/promotion-file.js");
isBegun = true;
await commitLock({
  ...{ path, shownPath: path, before, lock, now: () => new Date() },
  record: () => writePromotion(root, record),
});
isBegun = false;
console.log(points);
