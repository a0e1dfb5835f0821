/** The frame of every page: navigation, the state of the connection, keys. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { send } from './api/client';
import { store } from './model/store';
import { useNow, useTopics } from './model/use';
import { clock, duration, roleWord } from './model/words';
import { ClusterPage } from './pages/cluster';
import { HostPage } from './pages/host';
import { EventsPage, HostsPage, MigrationsPage, VmsPage } from './pages/lists';
import { MigrationPage } from './pages/migration';
import { VmPage } from './pages/vm';
import { Dialog, Empty, Page } from './ui/parts';
import { go, Link, usePath } from './ui/route';
import { Toasts } from './ui/toasts';

const NAV = [
  { to: '/', name: 'Cluster', key: 'c' },
  { to: '/vms', name: 'VMs', key: 'v' },
  { to: '/hosts', name: 'Hosts', key: 'h' },
  { to: '/migrations', name: 'Migrations', key: 'm' },
  { to: '/events', name: 'Events', key: 'e' },
] as const;

const ROUTES = [
  { pattern: /^\/$/, page: () => <ClusterPage /> },
  { pattern: /^\/wall$/, page: () => <ClusterPage wall /> },
  { pattern: /^\/vms$/, page: () => <VmsPage /> },
  { pattern: /^\/vms\/([^/]+)$/, page: (name: string) => <VmPage name={name} /> },
  { pattern: /^\/hosts$/, page: () => <HostsPage /> },
  { pattern: /^\/hosts\/([^/]+)$/, page: (name: string) => <HostPage name={name} /> },
  { pattern: /^\/migrations$/, page: () => <MigrationsPage /> },
  { pattern: /^\/migrations\/([^/]+)$/, page: (id: string) => <MigrationPage key={id} id={id} /> },
  { pattern: /^\/events$/, page: () => <EventsPage /> },
] as const;

function pageOf(path: string) {
  for (const { pattern, page } of ROUTES) {
    const match = pattern.exec(path);
    if (match) return page(decodeURIComponent(match[1] ?? ''));
  }
  return <Page title="Not here"><Empty>There is no page at {path}.</Empty></Page>;
}

export function App({ onLogout }: { onLogout: () => void }) {
  const path = usePath();
  const wall = path === '/wall';
  const [help, showHelp] = useState(false);
  useKeys(() => showHelp(true), wall);
  useFocusAndTitle(path);
  useTopics('link');
  const { state } = store.link;
  return (
    <div class={`frame ${wall ? 'wall' : ''} link-${state}`}>
      <a class="skip" href="#main">
        Skip to the page
      </a>
      {!wall && (
        <header class="top">
          <Link to="/" class="brand" aria-label="Godwit, cluster">
            <img src="/icon.svg" alt="" width="24" height="24" /> Godwit
          </Link>
          <nav aria-label="Pages">
            {NAV.map(({ to, name }) => (
              <Link key={to} to={to} class="nav-link" aria-current={(to === '/' ? path === '/' : path.startsWith(to)) ? 'page' : undefined}>
                {name}
              </Link>
            ))}
          </nav>
          <div class="top-right">
            <LinkState />
            <ThemeButton />
            <button type="button" class="button quiet" onClick={() => showHelp(true)} aria-label="keys">
              ?
            </button>
            <User onLogout={onLogout} />
          </div>
        </header>
      )}
      <Lost />
      <main id="main" class="main">
        {state === 'connecting' ? <Empty>Asking the controller…</Empty> : pageOf(path)}
      </main>
      <Toasts />
      {help && <Help onClose={() => showHelp(false)} />}
    </div>
  );
}

function LinkState() {
  useTopics('link');
  const { state } = store.link;
  return <span class={`link-state ${state}`}>{state === 'live' ? 'live' : state === 'lost' ? 'not connected' : 'connecting'}</span>;
}

/** What is shown is old, and since when. It lies over the page: nothing jumps. */
function Lost() {
  useTopics('link');
  const now = useNow(1_000);
  const { state, sinceMs, line, retryAtMs } = store.link;
  if (state !== 'lost') return null;
  return (
    <div class="lost" role="alert">
      <b>No connection to the controller since {clock(sinceMs)}.</b> What you see is from then; VMs go on running without it. <span>{line}.</span>{' '}
      <span>{retryAtMs > now ? `Trying again in ${duration(Math.ceil((retryAtMs - now) / 1_000) * 1_000).replace('.0', '')}.` : 'Trying again…'}</span>
    </div>
  );
}

function ThemeButton() {
  const [theme, set] = useState(document.documentElement.dataset.theme ?? 'dark');
  const other = theme === 'dark' ? 'light' : 'dark';
  return (
    <button
      type="button"
      class="button quiet"
      aria-label={`${other} theme`}
      onClick={() => {
        document.documentElement.dataset.theme = other;
        localStorage.setItem('godwit.theme', other);
        set(other);
      }}
    >
      {theme === 'dark' ? '☀' : '☾'}
    </button>
  );
}

function User({ onLogout }: { onLogout: () => void }) {
  useTopics('identity');
  const { identity } = store;
  if (!identity) return null;
  const logout = (): void => void send('DELETE', '/api/session').then(onLogout, onLogout);
  return (
    <span class="user">
      <span>
        {identity.user} <span class="dim">{roleWord(identity.role)}</span>
      </span>
      <button type="button" class="button quiet" onClick={logout}>
        Log out
      </button>
    </span>
  );
}

function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keys" onClose={onClose}>
      <dl class="keys">
        {NAV.map(({ key, name }) => (
          <div key={key}>
            <dt>
              <kbd>g</kbd> <kbd>{key}</kbd>
            </dt>
            <dd>{name}</dd>
          </div>
        ))}
        <div>
          <dt><kbd>g</kbd> <kbd>w</kbd></dt>
          <dd>Wall screen; <kbd>Esc</kbd> leaves it</dd>
        </div>
        <div>
          <dt><kbd>/</kbd></dt>
          <dd>Search in a list</dd>
        </div>
        <div>
          <dt><kbd>?</kbd></dt>
          <dd>This</dd>
        </div>
      </dl>
      <div class="dialog-buttons">
        <button type="button" class="button" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}

/** `g` and a letter; keys that somebody types into a field or the console are not for us. */
function useKeys(help: () => void, wall: boolean): void {
  const waiting = useRef(0);
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      const at = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey || at.closest('input, textarea, select, dialog, .console')) return;
      if (event.key === 'Escape' && wall) return go('/');
      if (event.key === '?') return help();
      if (event.key === '/') {
        const search = document.querySelector<HTMLElement>('[data-search]');
        if (search) event.preventDefault();
        return search?.focus();
      }
      if (event.key === 'g') {
        waiting.current = Date.now();
        return;
      }
      if (Date.now() - waiting.current > 1_500) return;
      waiting.current = 0;
      const to = event.key === 'w' ? '/wall' : NAV.find(({ key }) => key === event.key)?.to;
      if (to) go(to);
    };
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  }, [wall]);
}

/** A new page is told to screen readers, and in the window's title. */
function useFocusAndTitle(path: string): void {
  const first = useRef(true);
  useEffect(() => {
    const heading = document.querySelector<HTMLElement>('main h1');
    document.title = `${heading?.textContent ?? 'Godwit'} · Godwit`;
    if (!first.current) heading?.focus({ preventScroll: true });
    first.current = false;
  }, [path, store.link.state]);
}
