/** Limits of the command line, each with its unit and reason. */

/** Milliseconds that a question to the controller may take, unless --timeout says otherwise. */
export const CALL_MS = 30_000;
/** Milliseconds that a controller which was there is waited for when it is away: longer than a change of leader. */
export const PATIENCE_MS = 20_000;
/** Milliseconds between two tries of a controller that does not lead, or has just begun. */
export const RETRY_MS = 300;
/** Milliseconds for names while a shell completes: a key press waits for them. */
export const COMPLETION_MS = 1_500;
/** Milliseconds between two drawings of a live view: faster cannot be read. */
export const REDRAW_MS = 200;
/** Milliseconds that `vm console` looks for a VM which is on its way before it says so. */
export const CONSOLE_RETRY_MS = 500;
/** Milliseconds after which `vm console` gives up a VM that nobody can reach. */
export const CONSOLE_PATIENCE_MS = 60_000;
/** Bytes of a specification or configuration file: more is another file by mistake. */
export const MAX_FILE_BYTES = 1024 * 1024;
/** Rounds that the live view of a migration keeps on the screen. */
export const ROUNDS_SHOWN = 8;
