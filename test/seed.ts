import * as fc from "fast-check";

/*
 * `npm test` makes the same cases each time: whether a change lands may not hang on luck. `pnpm fuzz`, which looks for what nobody thought of, takes another
 * seed each time, and prints the one under which something broke.
 */
fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: 7 });
