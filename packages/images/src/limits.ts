/** Limits and time-outs of this package, each with its unit and reason. */

/** One apt-get or dpkg-deb call. The largest download is about 105 MB; a slow line gets 3 MB in a second. */
export const TOOL_TIMEOUT_MS = 5 * 60_000;

/** Installing the Debian system or writing its file system: a minute here, on a slow and busy machine ten times that. */
export const SYSTEM_TIMEOUT_MS = 20 * 60_000;

/** What a tool may print before it is cut off: package records are long, listings longer. */
export const TOOL_OUTPUT_BYTES = 64 * 1024 * 1024;

/** How many lines of a failed tool's own words an error repeats. */
export const TOOL_ERROR_LINES = 3;

/** The Debian disk: room for the system, its packages' work and a few hundred MB of test files; sparse, so unused space costs nothing. */
export const DEBIAN_DISK_BYTES = 2 * 1024 ** 3;
