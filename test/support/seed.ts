import fc from "fast-check";

/**
 * Property tests try the same cases each time, so that a change is judged by what it changes. `BERTH_TEST_SEED=NUMBER`
 * tries others.
 */
fc.configureGlobal({ seed: Number(process.env.BERTH_TEST_SEED ?? 20_261_121) });
