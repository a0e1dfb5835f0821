/** A timeline, the newest first: what happened, to what, by whom, because of what. */
import { Fragment } from 'preact';
import type { Event } from '../model/types';
import { clock, dateAndTime, severityWord } from '../model/words';
import { Empty, HostLink, VmLink } from './parts';
import { Link, migrationPath } from './route';

const SIGNS: Readonly<Record<string, string>> = { info: '·', warning: '▲', error: '■' };

export function Timeline({ events, most = 200, without = [] }: { events: readonly Event[]; most?: number; without?: readonly ('vm' | 'host' | 'migration')[] }) {
  const shown = events.slice(-most).reverse();
  if (shown.length === 0) return <Empty>Nothing has happened here yet.</Empty>;
  return (
    <ol class="timeline">
      {shown.map((event) => {
        const severity = severityWord(event.severity);
        const links = [
          !without.includes('vm') && event.vmName && <VmLink name={event.vmName} />,
          !without.includes('host') && event.hostName && <HostLink name={event.hostName} />,
          !without.includes('migration') && event.migrationId && <Link to={migrationPath(event.migrationId)}>migration</Link>,
        ].filter(Boolean);
        return (
          <li key={event.eventId} class={severity}>
            <time dateTime={new Date(event.atMs).toISOString()} title={dateAndTime(event.atMs)}>
              {clock(event.atMs)}
            </time>
            <span class="timeline-sign" aria-label={severity} role="img">
              {SIGNS[severity] ?? '·'}
            </span>
            <span class="timeline-text">
              <span class="timeline-line">{event.line}</span>
              <span class="timeline-why">
                <code>{event.kind}</code>
                {event.actor && <> by {event.actor}</>}
                {event.cause && event.cause !== event.actor && <>, because of: {event.cause}</>}
                {links.map((link, at) => (
                  <Fragment key={at}> · {link}</Fragment>
                ))}
              </span>
            </span>
          </li>
        );
      })}
    </ol>
  );
}
