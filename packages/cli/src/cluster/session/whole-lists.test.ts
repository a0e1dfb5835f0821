/** Proves: a list longer than one message can be comes whole, in order, without what went meanwhile. */
import type { Client } from './session';
import { allVms } from './whole-lists';

const vm = (name: string) => ({ spec: { vmId: name, name } });
const client =
  (messages: readonly object[]): Client =>
  () =>
    ({
      watchVms: async function* () {
        yield* messages;
        throw new Error('it is not read further');
      },
    }) as never;

test('until all is told', async () => {
  const put = (name: string) => ({ change: 'CHANGE_KIND_PUT', vm: vm(name) });
  const many = Array.from({ length: 20_000 }, (_, at) => put(`vm-${String(at).padStart(5, '0')}`)).reverse();
  const messages = [...many, put('vm-00003'), { change: 'CHANGE_KIND_REMOVED', vm: vm('vm-00004') }, { change: 'CHANGE_KIND_SYNCED' }, put('later')];
  const all = await allVms(client(messages), {});
  expect(all).toHaveLength(19_999);
  expect(all.slice(2, 5).map(({ spec }) => spec?.name)).toEqual(['vm-00002', 'vm-00003', 'vm-00005']);
});
