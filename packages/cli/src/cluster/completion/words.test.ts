/** Proves: what may stand at each place of a command line is offered there, and nothing else. */
import { others } from '../../help';
import { commandTable } from '../table';
import { testIo } from '../testing/io';
import { complete } from './complete';
import { joinedAtEquals, wantedAt } from './words';

const table = commandTable(others);
const candidates = others.map(({ name, summary }) => ({ text: name, note: summary }));
/** The last word is the one being typed. */
const at = (line: string) => {
  const wanted = wantedAt(table, candidates, line.split(' '));
  return { ...wanted, texts: wanted.fixed.map(({ text }) => text).filter((text) => text.startsWith(wanted.prefix)) };
};

test('nouns, verbs, options', () => {
  expect(at('').texts).toEqual(expect.arrayContaining(['vm', 'migrate', 'run', 'help']));
  expect(at('mig').texts).toEqual(['migrate', 'migration']);
  expect(at('vm st').texts).toEqual(['start', 'stop']);
  expect(at('help vm cr').texts).toEqual(['create']);
  expect(at('migrate web1 --ma').texts).toEqual(['--max-pause', '--max-rounds']);
  expect(at('migrate web1 --to a --t').texts).toEqual(['--timeout']);
});

test('arguments and values', () => {
  expect(at('vm show ').live).toBe('vm');
  expect(at('vm show web1 ').live).toBeUndefined();
  expect(at('vm start web1 w')).toMatchObject({ live: 'vm', used: ['web1'] });
  expect(at('migrate web1 --to h')).toMatchObject({ live: 'host', prefix: 'h' });
  expect(at('migrate web1 --to=h')).toMatchObject({ live: 'host', prefix: 'h', before: '--to=' });
  expect(at('migration cancel ').live).toBe('running-migration');
  expect(at('group add g alpha b')).toMatchObject({ live: 'host', used: ['alpha'] });
  expect(at('vm ls -o j').texts).toEqual(['json']);
  expect(at('-o j').texts).toEqual(['json']);
  expect(at('--context p').live).toBe('context');
  expect(at('--context prod vm ls --host ')).toMatchObject({ live: 'host', context: 'prod' });
  expect(at('migrate web1 --policy throttle,a').texts).toEqual(['throttle,abort']);
  expect(at('vm create --file ').live).toBe('file');
  expect(at('completion ').texts).toEqual(['bash', 'zsh', 'fish']);
});

test('bash splits words at =', () => {
  expect(joinedAtEquals(['migrate', '--to', '=', 'h'])).toEqual({ words: ['migrate', '--to=h'], alone: true });
  expect(joinedAtEquals(['migrate', '--to', '='])).toEqual({ words: ['migrate', '--to='], alone: true });
  expect(joinedAtEquals(['migrate', '--to', '=', 'h', ''])).toEqual({ words: ['migrate', '--to=h', ''], alone: false });
});

test('without a cluster only what is known here is offered, and nothing is said', async () => {
  const io = testIo({ env: { GODWIT_CONFIG: '/nowhere/config.yaml' } });
  await complete(table, candidates, ['bash', 'vm', 'show', ''], io);
  expect([io.stdout, io.stderr]).toEqual(['', '']);
  await complete(table, candidates, ['zsh', 'vm', 'st'], io);
  expect(io.stdout).toMatch(/^start\tstarts .*\nstop\tpresses .*\n$/);
  const files = testIo();
  await complete(table, candidates, ['bash', 'vm', 'create', '--file', ''], files);
  expect(files.stdout).toBe(':files\n');
});
