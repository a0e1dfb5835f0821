/** Components that follow a part of the store. */
import { useEffect, useReducer, useState } from 'preact/hooks';
import { store } from './store';
import type { Host, MigrationView, Vm } from './types';

/** Draws again when one of them changes. */
export function useTopics(...topics: readonly string[]): void {
  const [, again] = useReducer((count: number) => count + 1, 0);
  const key = topics.join('\n');
  const drawn = store.changes;
  useEffect(() => {
    const ends = key.split('\n').map((topic) => store.subscribe(topic, () => again(undefined as never)));
    // An effect runs after the page was drawn: what was told in between would be missed.
    if (store.changes !== drawn) again(undefined as never);
    return () => ends.forEach((end) => end());
  }, [key]);
}

export function useVm(id: string): Vm | undefined {
  useTopics(`vm:${id}`);
  return store.vms.get(id);
}

export function useHost(id: string): Host | undefined {
  useTopics(`host:${id}`);
  return store.hosts.get(id);
}

export function useMigration(id: string): MigrationView | undefined {
  useTopics(`migration:${id}`);
  return store.migrations.get(id);
}

/** At most every `everyMs`, for lists of what changes all the time. */
export function useSlowly(everyMs: number, ...topics: readonly string[]): void {
  const [, again] = useReducer((count: number) => count + 1, 0);
  const key = topics.join('\n');
  const drawn = store.changes;
  useEffect(() => {
    let timer: number | undefined;
    const later = (): void => {
      timer ??= window.setTimeout(() => {
        timer = undefined;
        again(undefined as never);
      }, everyMs);
    };
    const ends = key.split('\n').map((topic) => store.subscribe(topic, later));
    if (store.changes !== drawn) later();
    return () => {
      clearTimeout(timer);
      ends.forEach((end) => end());
    };
  }, [key, everyMs]);
}

/** The time, every `everyMs`. */
export function useNow(everyMs: number): number {
  const [now, set] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => set(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

/** What the role allows; the controller checks it, too. */
export function useMay(): { readonly operate: boolean; readonly admin: boolean } {
  useTopics('identity', 'link');
  const role = store.identity?.role;
  const live = store.link.state === 'live';
  return { operate: live && (role === 'ROLE_OPERATE' || role === 'ROLE_ADMIN'), admin: live && role === 'ROLE_ADMIN' };
}
