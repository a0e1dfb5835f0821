/** The way in. */
import { useState } from 'preact/hooks';
import { send } from '../api/client';
import type { Identity } from '../model/types';

export function LoginPage({ onLogin, why }: { onLogin: (identity: Identity) => void; why: string }) {
  const [problem, setProblem] = useState(why);
  const [busy, setBusy] = useState(false);
  const login = async (form: HTMLFormElement): Promise<void> => {
    setBusy(true);
    setProblem('');
    const data = new FormData(form);
    try {
      onLogin(await send<Identity>('POST', '/api/session', { user: String(data.get('user')), password: String(data.get('password')) }));
    } catch (error) {
      setProblem((error as Error).message);
      setBusy(false);
    }
  };
  return (
    <main class="login">
      <form
        class="login-card"
        onSubmit={(event) => {
          event.preventDefault();
          void login(event.currentTarget);
        }}
      >
        <img src="/icon.svg" alt="" width="44" height="44" />
        <h1>Godwit</h1>
        <label class="field">
          <span>User</span>
          <span class="field-box">
            <input name="user" autocomplete="username" required autofocus />
          </span>
        </label>
        <label class="field">
          <span>Password</span>
          <span class="field-box">
            <input name="password" type="password" autocomplete="current-password" required />
          </span>
        </label>
        <p class="problem" role="alert">
          {problem}
        </p>
        <button type="submit" class="button primary" disabled={busy}>
          {busy ? 'Logging in…' : 'Log in'}
        </button>
        <p class="small dim">
          The first user's password was shown by <code>godwit cluster init</code> or <code>npm run up</code>; more users come by <code>godwit user add</code>.
        </p>
      </form>
    </main>
  );
}
