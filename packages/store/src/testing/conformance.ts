/** The suite that every back end passes. */
import type { Check } from './bench';
import { CONCURRENCY_CHECKS } from './concurrency-checks';
import { EVENT_CHECKS } from './event-checks';
import { STORE_CHECKS } from './store-checks';

export const CONFORMANCE: readonly Check[] = [...STORE_CHECKS, ...CONCURRENCY_CHECKS, ...EVENT_CHECKS];
