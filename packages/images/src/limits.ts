/** Limits and time-outs of this package, each with its unit and reason. */

/** One apt-get or dpkg-deb call. The largest download is about 105 MB; a slow line gets 3 MB in a second. */
export const TOOL_TIMEOUT_MS = 5 * 60_000;

/** What a tool may print before it is cut off: package records are long, listings longer. */
export const TOOL_OUTPUT_BYTES = 64 * 1024 * 1024;

/** How many lines of a failed tool's own words an error repeats. */
export const TOOL_ERROR_LINES = 3;
