/** Limits of the shell, each with its unit and reason. */

/** Between an agent's reports, ms: three may be missed before its host counts as unreachable. */
export const REPORT_INTERVAL_MS = 5_000;
/** Between an agent's counters, ms: what Prometheus usually scrapes at. */
export const COUNTERS_INTERVAL_MS = 15_000;
/** An agent that has connected and said nothing, ms. */
export const HELLO_TIMEOUT_MS = 20_000;
/** Messages that wait for an agent before its session is ended: it is not reading. */
export const MAX_WAITING_MESSAGES = 10_000;

/** Changes that wait for one who watches, before the watch is ended. */
export const MAX_WAITING_CHANGES = 20_000;
/** Watches at a time. */
export const MAX_WATCHES = 2_000;

/** Writes to the store at a time: it commits many together. */
export const WRITES_AT_A_TIME = 64;
/** Tries of one write that the store could not take, and the wait between them, ms: longer than a store's own failover. */
export const WRITE_TRIES = 20;
export const WRITE_RETRY_MS = 500;

/** A console that nobody's agent has opened, ms. */
export const CONSOLE_TIMEOUT_MS = 15_000;
/** Consoles at a time. */
export const MAX_CONSOLES = 512;
/** Messages that wait for one side of a console before it is ended; a message has a few KiB at most. */
export const MAX_CONSOLE_MESSAGES = 1_024;

export const JOIN_TOKEN_MS = 60 * 60_000;
export const MAX_JOIN_TOKEN_MS = 7 * 24 * 60 * 60_000;
export const LOGIN_MS = 12 * 60 * 60_000;
export const TOKEN_MS = 365 * 24 * 60 * 60_000;
/** Sessions of users at a time; the oldest goes first. */
export const MAX_LOGINS = 1_000;
export const MAX_USERS = 1_000;
export const MAX_TOKENS = 1_000;
export const MIN_PASSWORD = 8;
/** Wrong passwords for one user before a pause, and the pause, ms. */
export const WRONG_PASSWORDS = 5;
export const WRONG_PASSWORD_PAUSE_MS = 60_000;

/** Events in one answer. */
export const MAX_EVENTS = 1_000;
export const DEFAULT_LIST = 100;

/** Our protocol with agents. */
export const AGENT_PROTOCOL = 1;

/** Where metrics are served unless the configuration says otherwise; another port when it is taken. */
export const METRICS_LISTEN = '127.0.0.1:7445';
