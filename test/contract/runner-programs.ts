/** Python programs that behave as runners do. They work in their runner's folder. */

/** Says that it is up and stays. */
export const idle = `
import signal
print("up")
signal.pause()`;

/** Writes to both outputs and stays. */
export const talk = `
import signal, sys
print("to output")
print("to error", file=sys.stderr)
signal.pause()`;

/** Notes each start in the file \`attempts\` and fails. */
export const failAtOnce = `
import sys
open("attempts", "a").write(".")
sys.exit("cannot load")`;

/** Ends without an error the first time, and stays the second. */
export const endOnce = `
import os, signal, time
first = not os.path.exists("started")
open("started", "w").close()
time.sleep(1.5)
if not first: signal.pause()`;

/** Takes a second to end when it is asked to. */
export const tidyUp = `
import signal, sys, time
def end(*_):
    time.sleep(1)
    sys.exit("tidied up")
signal.signal(signal.SIGTERM, end)
print("up")
while True: signal.pause()`;

/** Does not end when it is asked to. */
export const stubborn = `
import signal
signal.signal(signal.SIGTERM, lambda *_: print("asked to end"))
print("up")
while True: signal.pause()`;

/** Has a child process that carries its last argument. */
export const parent = `
import signal, subprocess, sys
subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()", sys.argv[1], "child"])
print("up")
signal.pause()`;
