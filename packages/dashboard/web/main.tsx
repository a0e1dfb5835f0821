/** Who is here, then the pages, then what is live. */
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { send } from './api/client';
import { Live } from './api/live';
import { App } from './app';
import { store } from './model/store';
import type { Identity } from './model/types';
import { LoginPage } from './pages/login';
import { rememberPlaces } from './ui/flights';
import './style/theme.css';
import './style/frame.css';
import './style/parts.css';
import './style/map.css';
import './style/pages.css';

store.beforeMove = rememberPlaces;

function Root() {
  const [who, set] = useState<Identity | 'asking' | 'nobody'>('asking');
  const [why, setWhy] = useState('');
  const [live] = useState(
    () =>
      new Live(() => {
        setWhy('your login has ended: log in again');
        leave();
      }),
  );
  const enter = (identity: Identity): void => {
    store.setIdentity(identity);
    set(identity);
    live.begin();
  };
  const leave = (): void => {
    live.end();
    store.setIdentity(undefined);
    store.setLink({ state: 'connecting', sinceMs: Date.now(), line: '', retryAtMs: 0 });
    set('nobody');
  };
  useEffect(() => {
    send<Identity>('GET', '/api/session').then(
      (identity) => (identity.user ? enter(identity) : set('nobody')),
      (error: Error) => {
        setWhy(error.message.startsWith('this login') ? '' : error.message);
        set('nobody');
      },
    );
  }, []);
  if (who === 'asking') return null;
  if (who === 'nobody') return <LoginPage onLogin={enter} why={why} />;
  return (
    <App
      onLogout={() => {
        setWhy('');
        leave();
      }}
    />
  );
}

render(<Root />, document.getElementById('app')!);
