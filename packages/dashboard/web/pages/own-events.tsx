/** The timeline of one VM, host or migration: what was kept, then what comes. */
import { useEffect, useState } from 'preact/hooks';
import { call } from '../api/client';
import { store } from '../model/store';
import type { Event } from '../model/types';
import { useSlowly } from '../model/use';
import { Timeline } from '../ui/events';

interface OwnEventsProps {
  /** Fields of ListEventsRequest. */
  readonly filter: object;
  readonly match: (event: Event) => boolean;
  readonly without: readonly ('vm' | 'host' | 'migration')[];
  readonly most?: number;
}

export function OwnEvents({ filter, match, without, most = 60 }: OwnEventsProps) {
  useSlowly(250, 'events');
  const [kept, set] = useState<readonly Event[]>([]);
  const key = JSON.stringify(filter);
  useEffect(() => {
    let over = false;
    call<{ events: Event[] }>('Events', 'ListEvents', { ...filter, limit: 200 }).then(({ events }) => !over && set(events), () => undefined);
    return () => {
      over = true;
    };
  }, [key]);
  const known = new Set(kept.map(({ eventId }) => eventId));
  return <Timeline events={[...kept, ...store.events.filter((event) => match(event) && !known.has(event.eventId))]} most={most} without={without} />;
}
