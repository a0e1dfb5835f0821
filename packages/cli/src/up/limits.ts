/** Limits of `npm run up`, each with its unit and reason. */

/** A controller or an agent begins within seconds; a slow machine that does something else meanwhile gets more, ms. */
export const READY_MS = 120_000;
/** From a VM's start to its first answer: a Linux boots, ms. */
export const BOOT_MS = 180_000;
/** A host that is there and has no network or datastore may have it in a moment; then it says why not, ms. */
export const LACK_MS = 10_000;
/** Between two looks, ms. */
export const LOOK_MS = 100;
/** For a process that was told to end, ms; then it is ended. */
export const END_MS = 15_000;
/** Ports tried beside one that is taken. */
export const PORTS_TRIED = 50;
export const MAX_HOSTS = 16;
export const MAX_VMS = 64;
/** Bytes a unix socket's path may have (unix(7)). */
export const MAX_SOCKET_PATH = 107;
