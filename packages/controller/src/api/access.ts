/** Service Access. */
import { Refusal } from '../core/errors';
import { enumName, number, text, word } from '../rpc/fields';
import type { Message } from '../rpc/rpc';
import type { Identity } from '../access/access';
import type { ApiPorts, ApiService } from './ports';
import { type RoleName, suffices } from './roles';

export function accessService({ access, cluster }: ApiPorts): ApiService {
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
    PutUser: async (request) => userView(await access.putUser(text(request, 'name'), readRole(request), text(request, 'password'))),
    RemoveUser: async (request) => {
      await access.removeUser(text(request, 'name'));
      return {};
    },
    CreateToken: (request, { identity }) => {
      const role = readRole(request) || 'view';
      if (!suffices(identity.role, role)) throw new Refusal('role', 'a token may do no more than its maker');
      return access.createToken(identity.user, text(request, 'name'), role, number(request, 'validMs'));
    },
    ListTokens: async () => ({
      tokens: (await access.tokens()).map(({ kind: _, role, ...rest }) => ({ ...rest, role: roleName(role), usedAtMs: 0 })),
    }),
    RevokeToken: async (request) => {
      await access.revokeToken(text(request, 'tokenId'));
      return {};
    },
  };
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
