import { systemCode } from "../lib/errors.js";

/** What a shell reports of a program that SIGPIPE has ended. */
const readerGone = 141;

/**
 * When nobody reads any more what is written, as after `berth history | head`, the command ends at once and without a
 * word, as other programs do.
 */
export function endWithReaders(streams: readonly NodeJS.WriteStream[]): void {
  for (const stream of streams) {
    stream.on("error", (error) => {
      if (systemCode(error) === "EPIPE") process.exit(readerGone);
      throw error;
    });
  }
}
