/** Limits of the HTTP server, each with its unit and reason. */

/** Connections at a time: a dashboard holds two or three. */
export const MAX_CONNECTIONS = 2_000;
/** A request must be there whole within this, ms. */
export const REQUEST_MS = 30_000;
/** Of a request's body, bytes: a VM's specification has a few KiB. */
export const MAX_BODY_BYTES = 256 * 1024;
/** Of one console message from a browser, bytes: a paste. */
export const MAX_CONSOLE_BYTES = 64 * 1024;
/** Console output that a browser has not taken yet, bytes, before the console is read no further. */
export const CONSOLE_BUFFER_BYTES = 1024 * 1024;

/** Logins tried from one address, whatever the user, before it has to wait; and the time in which they count, ms. */
export const LOGIN_TRIES = 20;
export const LOGIN_WINDOW_MS = 60_000;
/** Addresses that are counted at a time. */
export const MAX_LOGIN_ADDRESSES = 10_000;

/** Live streams and consoles at a time. */
export const MAX_STREAMS = 512;
/** Between two batches of changes, ms: ten a second look fluid, and one that changes often is sent once. */
export const BATCH_MS = 100;
/** Between signs of life, ms; a page that hears nothing for three of them says so. */
export const BEAT_MS = 4_000;
/** The cluster's status is read this often, ms, while something changes. */
export const STATUS_MS = 1_000;
/** Bytes on their way to a page before changes are gathered instead of sent. */
export const STREAM_BUFFER_BYTES = 512 * 1024;
/** Events a page is given at its start. */
export const FIRST_EVENTS = 200;
