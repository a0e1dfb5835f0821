/**
 * Users, their logins, tokens of programs, and one-time tokens for hosts that join. All of it lies
 * in the store (hashes only), so that every controller knows it; a login lives until it ends or is ended.
 */
import { decodeJson, isConflict, putJson, type Store, StoreError } from '@godwit/store';
import type { RoleName } from '../api/roles';
import { Refusal } from '../core/errors';
import { checkName } from '../core/spec-checks';
import {
  JOIN_TOKEN_MS,
  LOGIN_MS,
  MAX_JOIN_TOKEN_MS,
  MAX_LOGINS,
  MAX_TOKENS,
  MAX_USERS,
  MIN_PASSWORD,
  TOKEN_MS,
  WRONG_PASSWORD_PAUSE_MS,
  WRONG_PASSWORDS,
} from '../limits';
import type { Call } from '../rpc/rpc';
import { hashPassword, isPassword, newSecret, secretId } from './secrets';

export interface Identity {
  /** Empty: nobody. */
  readonly user: string;
  readonly role: RoleName;
  readonly by: '' | 'certificate' | 'session' | 'token';
  readonly endsAtMs: number;
}
export const NOBODY: Identity = { user: '', role: 'none', by: '', endsAtMs: 0 };

interface UserRecord {
  readonly name: string;
  readonly role: RoleName;
  readonly password: string;
  readonly createdAtMs: number;
}
interface SecretRecord {
  readonly kind: 'session' | 'token' | 'join';
  readonly name: string;
  readonly user: string;
  readonly role: RoleName;
  readonly createdAtMs: number;
  readonly endsAtMs: number;
}
export type TokenView = SecretRecord & { readonly tokenId: string };

export class Access {
  private readonly wrong = new Map<string, { count: number; untilMs: number }>();

  constructor(
    private readonly store: Store,
    private readonly now: () => number,
  ) {}

  /** Who calls; NOBODY without credentials. @throws Refusal for credentials that do not hold */
  async identify({ certificate, bearer }: Call): Promise<Identity> {
    if (bearer) {
      const found = await this.secret(bearer);
      if (!found || found.kind === 'join' || found.endsAtMs <= this.now())
        throw new Refusal('login-ended', 'this login or token has ended, or never was: log in again');
      const user = found.kind === 'session' ? await this.user(found.user) : undefined;
      if (found.kind === 'session' && !user) throw new Refusal('login-ended', `the user ${found.user} was removed`);
      return { user: found.user, role: user?.role ?? found.role, by: found.kind, endsAtMs: found.endsAtMs };
    }
    if (certificate?.kind !== 'operator') return NOBODY;
    const role = ['view', 'operate', 'admin'].includes(certificate.role) ? (certificate.role as RoleName) : 'none';
    return { user: certificate.name, role, by: 'certificate', endsAtMs: 0 };
  }

  async login(name: string, password: string): Promise<{ token: string; identity: Identity }> {
    const before = this.wrong.get(name);
    if (before && before.count >= WRONG_PASSWORDS && this.now() < before.untilMs)
      throw new Refusal('wrong-password', 'too many wrong passwords: wait a minute, then try again');
    const user = await this.user(name);
    // The same work for a user who is not there.
    const right = await isPassword(password, user?.password || (await DUMMY));
    if (!user || !right) {
      if (this.wrong.size > MAX_USERS) this.wrong.clear();
      this.wrong.set(name, {
        count: (before && this.now() < before.untilMs ? before.count : 0) + 1,
        untilMs: this.now() + WRONG_PASSWORD_PAUSE_MS,
      });
      throw new Refusal('wrong-password', 'the user or the password is wrong');
    }
    this.wrong.delete(name);
    const { secret, record } = await this.make('session', name, name, user.role, LOGIN_MS, MAX_LOGINS);
    return { token: secret, identity: { user: name, role: user.role, by: 'session', endsAtMs: record.endsAtMs } };
  }

  async logout(bearer: string): Promise<void> {
    if (bearer) await this.forget(secretId(bearer));
  }

  async users(): Promise<UserRecord[]> {
    return (await this.store.list('users/')).entries.map((entry) => decodeJson(entry) as UserRecord);
  }

  async putUser(name: string, role: RoleName | '', password: string): Promise<UserRecord> {
    checkName(name, 'user');
    const before = await this.user(name);
    if (!before && (!role || !password)) throw new Refusal('invalid', 'a new user needs a role and a password');
    if (password && password.length < MIN_PASSWORD) throw new Refusal('invalid', `a password has at least ${MIN_PASSWORD} characters`);
    if (!before && (await this.users()).length >= MAX_USERS) throw new Refusal('limit', `at most ${MAX_USERS} users`);
    const record: UserRecord = {
      name,
      role: role || before!.role,
      password: password ? await hashPassword(password) : before!.password,
      createdAtMs: before?.createdAtMs ?? this.now(),
    };
    await putJson(this.store, userKey(name), record);
    return record;
  }

  /** The cluster's first user, once: one that was removed since does not come back. */
  async beginWith(name: string, passwordHash: string): Promise<boolean> {
    if (await this.store.get(FIRST_ADMIN)) return false;
    const record: UserRecord = { name, role: 'admin', password: passwordHash, createdAtMs: this.now() };
    if ((await this.users()).length === 0) await putJson(this.store, userKey(name), record);
    await putJson(this.store, FIRST_ADMIN, { name, createdAtMs: this.now() });
    return true;
  }

  async removeUser(name: string): Promise<void> {
    if (!(await this.user(name))) throw new Refusal('no-user', `there is no user ${name}`);
    await this.store.delete(userKey(name));
  }

  async createToken(
    user: string,
    name: string,
    role: RoleName,
    validMs: number,
  ): Promise<{ tokenId: string; token: string; endsAtMs: number }> {
    const { secret, record } = await this.make('token', name, user, role, validMs || TOKEN_MS, MAX_TOKENS);
    return { tokenId: secretId(secret), token: secret, endsAtMs: record.endsAtMs };
  }

  async tokens(): Promise<TokenView[]> {
    const { entries } = await this.store.list('secrets/');
    return entries
      .map((entry) => ({ ...(decodeJson(entry) as SecretRecord), tokenId: entry.key.slice('secrets/'.length) }))
      .filter(({ kind }) => kind === 'token');
  }

  async revokeToken(tokenId: string): Promise<void> {
    if (!/^[0-9a-f]{64}$/.test(tokenId) || !(await this.store.get(`secrets/${tokenId}`)))
      throw new Refusal('no-token', 'there is no such token');
    await this.forget(tokenId);
  }

  /** For a host that is to join: good once. */
  async createJoinToken(hostName: string, validMs: number): Promise<{ token: string; endsAtMs: number }> {
    if (!(validMs >= 0 && validMs <= MAX_JOIN_TOKEN_MS)) throw new Refusal('invalid', 'a join token is valid for a week at most');
    const { secret, record } = await this.make('join', hostName, '', 'none', validMs || JOIN_TOKEN_MS, MAX_TOKENS);
    return { token: secret, endsAtMs: record.endsAtMs };
  }

  /** Uses it up. @throws Refusal */
  async useJoinToken(token: string, hostName: string): Promise<void> {
    const key = `secrets/${secretId(token)}`;
    const entry = token ? await this.store.get(key) : undefined;
    const record = entry && (decodeJson(entry) as SecretRecord);
    if (!entry || record?.kind !== 'join') throw new Refusal('role', 'this join token is wrong or was used before: make a new one');
    if (record.endsAtMs <= this.now()) throw new Refusal('role', 'this join token has ended: make a new one');
    if (record.name && record.name !== hostName)
      throw new Refusal('role', `this join token is for a host named ${record.name}, not ${hostName}`);
    try {
      await this.store.delete(key, { expect: entry.revision });
    } catch (error) {
      if (isConflict(error) || (error instanceof StoreError && error.code === 'not-found'))
        throw new Refusal('role', 'this join token was used before: make a new one');
      throw error;
    }
  }

  private async make(
    kind: SecretRecord['kind'],
    name: string,
    user: string,
    role: RoleName,
    validMs: number,
    most: number,
  ): Promise<{ secret: string; record: SecretRecord }> {
    const now = this.now();
    const { entries } = await this.store.list('secrets/');
    const records = entries.map((entry) => ({ id: entry.key.slice('secrets/'.length), ...(decodeJson(entry) as SecretRecord) }));
    const same = records.filter((one) => one.kind === kind && one.endsAtMs > now).sort((a, b) => a.createdAtMs - b.createdAtMs);
    for (const { id, endsAtMs } of records) if (endsAtMs <= now) await this.forget(id);
    if (same.length >= most) {
      if (kind !== 'session') throw new Refusal('limit', `at most ${most} tokens at a time`);
      await this.forget(same[0].id);
    }
    const secret = newSecret(`godwit_${kind}`);
    const record: SecretRecord = { kind, name: name.slice(0, 200), user, role, createdAtMs: now, endsAtMs: now + validMs };
    await putJson(this.store, `secrets/${secretId(secret)}`, record);
    return { secret, record };
  }

  private async forget(id: string): Promise<void> {
    await this.store.delete(`secrets/${id}`).catch((error) => {
      if (!(error instanceof StoreError) || error.code !== 'not-found') throw error;
    });
  }

  private async secret(secret: string): Promise<SecretRecord | undefined> {
    const entry = await this.store.get(`secrets/${secretId(secret)}`);
    return entry && (decodeJson(entry) as SecretRecord);
  }

  private async user(name: string): Promise<UserRecord | undefined> {
    const entry = /^[A-Za-z0-9._-]{1,63}$/.test(name) ? await this.store.get(userKey(name)) : undefined;
    return entry && (decodeJson(entry) as UserRecord);
  }
}

const FIRST_ADMIN = 'access/first-admin';
const userKey = (name: string): string => `users/${name.replace(/[^A-Za-z0-9-]/g, (mark) => `=${mark.codePointAt(0)!.toString(16)}=`)}`;
const DUMMY = hashPassword('nobody');
