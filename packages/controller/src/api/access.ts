/** Service Access. */
import { Refusal } from '../core/errors';
import { enumName, number, text, word } from '../rpc/fields';
import type { Message } from '../rpc/rpc';
import type { Identity } from '../access/access';
import type { ApiPorts, ApiService } from './ports';
import { type RoleName, suffices } from './roles';

export function accessService(ports: ApiPorts): ApiService {
  const { access, cluster } = ports;
  const tell = (actor: string, line: string): Promise<void> => tellAccess(ports, actor, line);
  const identityView = ({ user, role, by, endsAtMs }: Identity): object => ({
    user,
    role: roleName(role),
    by,
    endsAtMs,
    clusterId: cluster.id,
    clusterName: cluster.name,
  });
  return {
    WhoAmI: async (_, { identity }) => identityView(identity),
    Login: async (request) => {
      const { token, identity } = await access.login(text(request, 'user'), text(request, 'password'));
      return { token, identity: identityView(identity) };
    },
    Logout: async (_, { bearer }) => {
      await access.logout(bearer);
      return {};
    },
    ListUsers: async () => ({ users: (await access.users()).map(userView) }),
    PutUser: async (request, { identity }) => {
      const user = await access.putUser(text(request, 'name'), readRole(request), text(request, 'password'));
      await tell(identity.user, `user ${user.name} has the role ${user.role}${text(request, 'password') ? ' and a new password' : ''}`);
      return userView(user);
    },
    RemoveUser: async (request, { identity }) => {
      await access.removeUser(text(request, 'name'));
      await tell(identity.user, `user ${text(request, 'name')} was removed`);
      return {};
    },
    CreateToken: async (request, { identity }) => {
      const role = readRole(request) || 'view';
      if (!suffices(identity.role, role)) throw new Refusal('role', 'a token may do no more than its maker');
      const token = await access.createToken(identity.user, text(request, 'name'), role, number(request, 'validMs'));
      await tell(identity.user, `a token ${text(request, 'name')} with the role ${role} was made`);
      return token;
    },
    ListTokens: async () => ({
      tokens: (await access.tokens()).map(({ kind: _, role, ...rest }) => ({ ...rest, role: roleName(role), usedAtMs: 0 })),
    }),
    RevokeToken: async (request, { identity }) => {
      await access.revokeToken(text(request, 'tokenId'));
      await tell(identity.user, `token ${text(request, 'tokenId')} was revoked`);
      return {};
    },
  };
}

/** Writes it into the timeline. What was done is done, also where no event can be written. */
export async function tellAccess({ leadership }: Pick<ApiPorts, 'leadership'>, actor: string, line: string): Promise<void> {
  try {
    await leadership().ask((ctx) => ctx.tell({ kind: 'access.changed', actor, cause: 'operator', line }));
  } catch {
    // Another controller leads, and this one writes no events.
  }
}

const roleName = (role: RoleName): string => enumName('ROLE_', role === 'none' ? '' : role);
const readRole = (request: Message): RoleName | '' => word(request, 'role', 'ROLE_') as RoleName | '';
const userView = ({
  name,
  role,
  createdAtMs,
  password,
}: {
  name: string;
  role: RoleName;
  createdAtMs: number;
  password: string;
}): object => ({
  name,
  role: roleName(role),
  createdAtMs,
  hasPassword: password !== '',
});
