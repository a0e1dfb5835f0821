/** Limits of this package, each with its unit and reason. */

/** Milliseconds that a unary call may take unless it says otherwise: everything longer is an Operation or a stream. */
export const DEADLINE_MS = 30_000;

/** Milliseconds from one HTTP/2 ping to the next, and how long its answer may take: a peer that vanished is noticed within 40 s. On a slow link the ping waits behind megabytes in the socket. */
export const KEEPALIVE_MS = 20_000;
export const KEEPALIVE_TIMEOUT_MS = 20_000;

/** Bytes of one message of the control services: a VMM's or host's report is a few KiB, a folder list some hundred. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

/** Bytes of one message of a migration: MAX_MESSAGE_BYTES of packages/migration. */
export const MAX_MIGRATION_MESSAGE_BYTES = 1024 * 1024;

/** What gRPC and protobuf put before the bytes of one MigrationData: flag, length; tag, length. */
export const MAX_ENVELOPE_BYTES = 1 + 4 + 1 + 4;

/** Bytes that a server may have under way to a client: 1 MiB measures best (test/bench/wire.mjs). */
export const FLOW_CONTROL_WINDOW = 1024 * 1024;

/** Connections to one server: a controller of 1,000 hosts and their operators; more are refused. */
export const MAX_CONNECTIONS = 2_048;

/** Calls at a time on one connection. */
export const MAX_CALLS = 128;

/** Milliseconds for the TLS handshake, and until the first bytes of HTTP/2 are there: against peers that only hold a connection. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;

/** Milliseconds without any call after which a connection is closed; clients dial again by themselves. */
export const IDLE_MS = 5 * 60_000;

/** Milliseconds that a connection lives whose certificate was refused: long enough to be told why. */
export const REFUSED_LINGER_MS = 3_000;

/** Milliseconds that calls under way have to end when a server closes. */
export const CLOSE_GRACE_MS = 2_000;

/** Milliseconds before the first and between later attempts to connect again. */
export const RECONNECT_FIRST_MS = 250;
export const RECONNECT_LAST_MS = 5_000;

/** Milliseconds for finding out why a connection failed. */
export const DIAGNOSE_TIMEOUT_MS = 2_000;

/** Characters of an error's line that travel: HTTP/2 headers are limited, and a line is for people. */
export const MAX_ERROR_CHARACTERS = 2_000;

/** Bytes of a unix socket's path (sun_path, unix(7)). */
export const MAX_SOCKET_PATH = 107;

/** Milliseconds that the source waits for the target's call, unless told otherwise. */
export const CALL_TIMEOUT_MS = 15_000;

/** Milliseconds that a closed transport waits while nothing of what was sent moves on; then it is cut. */
export const TRANSPORT_LINGER_MS = 5_000;

/** Messages in one transport that wait to be sent: far more than a session has open (SEND_AHEAD, 3). */
export const MAX_QUEUED_SENDS = 64;

/** Days that a certificate is good; renewed after two thirds. */
export const CERTIFICATE_DAYS = 30;

/** Days of the cluster's own CA: ten years. */
export const AUTHORITY_DAYS = 3_652;

/** Milliseconds that certificates are good before they are made: clocks of hosts differ. */
export const CLOCK_SLACK_MS = 5 * 60_000;

/** Milliseconds that a join token is good unless told otherwise, and at most. */
export const JOIN_TOKEN_MS = 60 * 60_000;
export const MAX_JOIN_TOKEN_MS = 7 * 24 * 60 * 60_000;

/** Bytes of a PEM file: a bundle of a few CAs is some KiB. */
export const MAX_PEM_BYTES = 64 * 1024;
