/**
 * Proves, with the built command as a process against a real controller and two agents over mutual TLS: each verb of the
 * command line does what it says; data goes to standard output and everything else to standard error; each exit code comes
 * for its reason; every format is what it claims; a real bash completes names that are there now; watches tell of changes;
 * a console goes on over a migration and leaves with Ctrl-]; migrations are shown in place on a terminal and as lines elsewhere.
 */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Authority, saveMaterial } from '@godwit/wire';
import { parse } from 'yaml';
import { commandTable, runTable } from '../../packages/cli/dist/cluster/index';
import { others } from '../../packages/cli/dist/help';
import { testIo } from '../../packages/cli/src/cluster/testing/io';
import { screenOf } from '../../packages/cli/src/cluster/testing/screen';
import { images } from '../boot/guest';
import { cli, freePorts, startCluster } from '../support/cluster.mjs';
import { Background, endTerminals, Terminal } from './terminal';

type Cluster = Awaited<ReturnType<typeof startCluster>>;
type Answer = { code: number | null; stdout: string; stderr: string };
let cluster: Cluster;

const godwit = (line: string, options: object = {}): Promise<Answer> => cluster.godwit(...line.split(' '), options) as Promise<Answer>;
/** Its output. @throws unless it ended with 0 */
async function done(line: string, options?: object): Promise<string> {
  const { code, stdout, stderr } = await godwit(line, options);
  if (code !== 0) throw new Error(`godwit ${line}: ${code}: ${stderr}`);
  return stdout;
}
/** The same in this process: for what only asks. */
async function inside(line: string): Promise<Answer> {
  const io = testIo({ env: cluster.env, folder: cluster.dir });
  const code = await runTable(commandTable(others), others, line.split(' '), io);
  return { code, stdout: io.stdout, stderr: io.stderr };
}
const json = async (line: string) => JSON.parse((await inside(`${line} -o json`)).stdout);
const COLUMNS = 200;
const terminal = (line: string): Terminal => new Terminal([process.execPath, cli, ...line.split(' ')], cluster.env, { columns: COLUMNS });
const background = (line: string): Background => new Background([process.execPath, cli, ...line.split(' ')], cluster.env);
const hostOf = async (vm: string): Promise<string> => (await json(`vm show ${vm}`)).hostName;

beforeAll(async () => {
  const { kernel686, initrd } = await images();
  cluster = await startCluster({ images: { vmlinuz: kernel686, initrd } });
  // Its console is a shell.
  await done('vm create web1 --memory 128M --kernel vmlinuz --initrd initrd --append console=ttyS0 --network user -l team=web --start');
});
afterAll(async () => {
  endTerminals();
  await cluster?.stop();
});

describe('formats', () => {
  test('table and wide: titles, and no colours where there is no terminal', async () => {
    const [titles, row] = (await done('vm ls')).split('\n');
    expect(titles).toMatch(/^NAME +STATE +HOST +MEMORY/);
    expect(row).toMatch(/^web1 +running +host-[12] +128 MiB/);
    expect(await done('vm ls -o wide --no-headers')).toMatch(/^web1 .* team=web .*[0-9a-f-]{36}/);
    expect(await done('host ls -o wide')).not.toContain('\x1b');
  });

  test('json and yaml are the same message; name is what other commands take', async () => {
    const [vm] = await json('vm ls -l team=web');
    expect(vm).toMatchObject({ spec: { name: 'web1', memoryBytes: 128 << 20, labels: { team: 'web' } }, state: 'VM_STATE_RUNNING' });
    expect(parse(await done('vm show web1 -o yaml')).spec).toEqual(vm.spec);
    expect(await done('vm ls -o name')).toBe('web1\n');
    expect(await json('vm ls -l team=nobody')).toEqual([]);
  });

  test.each([
    'vm show web1',
    'host ls',
    'host show host-1',
    'cluster status',
    'cluster settings',
    'cluster baseline',
    'migration ls',
    'operation ls',
    'events',
    'whoami',
    'user ls',
    'token ls',
    'rule ls',
    'group ls',
    'context ls',
    'version --cluster',
    'top',
  ])('%s, for people and for programs', async (line) => {
    const [people, programs] = await Promise.all([inside(line), inside(`${line} -o json`)]);
    expect([people.code, programs.code]).toEqual([0, 0]);
    expect(people.stdout + people.stderr).not.toBe('');
    expect(() => JSON.parse(programs.stdout)).not.toThrow();
    expect(programs.stderr).toBe('');
  });
});

describe('exit codes', () => {
  test('1: the answer to a question was no', async () => {
    const asked = terminal('vm rm web1 --force');
    await asked.shows('[y/N]');
    asked.type('n\r');
    expect(await asked.ended).toBe(1);
    expect(asked.text).toContain('nothing was removed');
  });

  test.each([
    ['2', 'vm lss', 2, /did you mean godwit vm ls\?/],
    ['2, a name that cannot be', 'vm create bad/name', 2, /is no name of a VM/],
    ['3, with the one that may be meant', 'vm show wbe1', 3, /there is no VM wbe1; did you mean web1\?/],
    ['3, for a host', 'migrate web1 --to hots-1', 3, /no host hots-1; did you mean host-1\?/],
    ['3, for a migration', 'migration show nothing', 3, /no migration nothing.*godwit migration ls/],
    ['3, for a host whose VMs are asked for', 'vm ls --host nowhere', 3, /no host nowhere/],
    ['4', 'vm start web1', 4, /web1 runs on host-[12]: only a VM that is stopped or suspended can be started/],
    ['4, the name is taken', 'vm create web1 --kernel vmlinuz', 4, /there is a VM named web1 already/],
    ['6, a role that is too small', 'vm stop web1 --context viewer', 6, /has the role view; this needs operate/],
    ['6, nobody', 'vm ls --context nobody', 6, /godwit login/],
    ["6, another cluster's certificate", 'vm ls --context foreign', 6, /is not of this cluster/],
    ['5', 'vm ls --context away', 5, /127\.0\.0\.1:\d+/],
    ['3, a context', 'vm ls --context tset', 3, /no context tset; did you mean test\?/],
    ['8, not waited for', 'vm reset web1 --timeout 1ms', 8, /is not known|goes on/],
  ])('%s: godwit %s', async (_, line, code, message) => {
    await contexts();
    const answer = await godwit(line);
    expect([answer.code, answer.stderr]).toEqual([code, expect.stringMatching(message)]);
    expect(answer.stdout).toBe('');
    expect(answer.stderr.trimEnd()).not.toContain('\n');
  });

  test('the code of a batch: that of those that failed, and the others are done', async () => {
    await cluster.until(async () => (await json('vm show web1')).operationId === '', 'have reset web1');
    const answer = await godwit('vm pause nobody web1');
    expect(answer).toMatchObject({ code: 3, stderr: expect.stringMatching(/no VM nobody[\s\S]*web1 is paused/) });
    await done('vm resume web1');
  });
});

let hasContexts = false;
/** A viewer with a token, one without anything, one of another cluster, one whose controller is not there. */
async function contexts(): Promise<void> {
  if (hasContexts) return;
  hasContexts = true;
  const token = path.join(cluster.dir, 'viewer.token');
  writeFileSync(token, await done('token add look --role view --valid 1h'));
  const ca = path.join(cluster.certificates!, 'ca.pem');
  const [port] = await freePorts(1);
  const at = cluster.controllerAddress;
  await done(`context add viewer --controller ${at} --ca ${ca} --token-file ${token}`);
  await done(`context add nobody --controller ${at} --ca ${ca}`);
  const other = await (await Authority.open(path.join(cluster.dir, 'other'))).certify({ kind: 'operator', role: 'admin', name: 'mallory' });
  saveMaterial(path.join(cluster.dir, 'foreign'), other);
  await done(`context add foreign --controller ${at} --certificates ${path.join(cluster.dir, 'foreign')}`);
  await done(`context add away --controller 127.0.0.1:${port} --certificates ${cluster.certificates}`);
}

describe('access', () => {
  test('a user logs in with a password that is nowhere shown, and out again', async () => {
    await contexts();
    await done('user add alice --role operate', { input: 'correct horse\n' });
    expect(await godwit('login -u alice --context nobody', { input: 'wrong horse\n' })).toMatchObject({
      code: 6,
      stderr: expect.stringMatching(/the user or the password is wrong/),
    });
    const screen = terminal('login -u alice --context nobody');
    await screen.shows('password of alice: ');
    screen.type('correct horse\r');
    expect(await screen.ended).toBe(0);
    expect(screen.text).not.toContain('correct');
    expect(await json('whoami --context nobody')).toMatchObject({ user: 'alice', role: 'ROLE_OPERATE', by: 'session' });
    expect(await done('context ls')).not.toMatch(/godwit_session/);
    await done('logout --context nobody');
    expect(await json('whoami --context nobody')).toMatchObject({ user: '' });
    await done('user rm alice');
  });

  test('a token is revoked, and a host is given one', async () => {
    await done('token rm look');
    expect(await godwit('vm ls --context viewer')).toMatchObject({ code: 6 });
    const { code, stdout, stderr } = await godwit('host add gamma --valid 5m');
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^godwit1\.\S+\n$/)]);
    expect(stderr).not.toContain(stdout.trim());
    expect(JSON.parse(stderr.trimEnd().split('\n').at(-1)!)).toMatchObject({ name: 'gamma', controllers: [cluster.controllerAddress] });
  });
});

/** The candidates for the last word, as a real bash finds them. */
function completed(...words: string[]): Promise<string[]> {
  const script = `source <(${process.execPath} ${cli} completion bash)
    godwit() { ${process.execPath} ${cli} "$@"; }
    COMP_WORDS=(godwit "$@"); COMP_CWORD=$#
    _godwit
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  return new Promise((resolve, reject) =>
    execFile('bash', ['-c', script, 'bash', ...words], { env: cluster.env, timeout: 60_000 }, (error, stdout) =>
      error ? reject(error) : resolve(stdout.split('\n').filter(Boolean)),
    ),
  );
}

test('bash completes commands, options, and names that are there now', async () => {
  expect(await completed('vm', 'sta')).toEqual(['start']);
  expect(await completed('vm', 'show', '')).toEqual(['web1']);
  expect(await completed('migrate', 'web1', '--to', 'ho')).toEqual(['host-1', 'host-2']);
  expect(await completed('migrate', 'web1', '--to', '=', 'ho')).toEqual(['host-1', 'host-2']);
  expect(await completed('vm', 'ls', '--st')).toEqual(['--state']);
  expect(await completed('vm', 'ls', '-o', 'j')).toEqual(['json']);
  expect(await completed('--context', 'te')).toEqual(['test']);
  expect(await completed('vm', 'show', '--context', 'away', '')).toEqual([]);
});

describe('the life of a VM', () => {
  test('changed, cloned, suspended, resumed, stopped, removed', async () => {
    expect(await godwit('vm change web1 -l tier=1 -l team- --max-pause 80ms')).toMatchObject({ code: 0, stdout: '' });
    expect((await json('vm show web1')).spec).toMatchObject({ labels: { tier: '1' }, migration: { pauseBudgetMs: 80 } });
    await done('vm suspend web1');
    await done('vm clone web1 web2 --start');
    expect(await done('vm ls -o name')).toBe('web1\nweb2\n');
    const [one, two] = [(await json('vm show web1')).spec, (await json('vm show web2')).spec];
    expect(two.networks[0].mac).not.toBe(one.networks[0].mac);
    expect(await done('vm resume web1 -o name')).toBe('web1\n');
    await done('vm stop web2 --kill');
    expect(await godwit('vm rm web2 -o name')).toMatchObject({ code: 0, stdout: 'web2\n' });
    expect(await done('vm ls -o name')).toBe('web1\n');
  });

  test('one is made from what another one is', async () => {
    const yaml = await done('vm show web1 -o yaml');
    await done('vm create web3 --file - --memory 96M', { input: yaml });
    expect((await json('vm show web3')).spec).toMatchObject({ memoryBytes: 96 << 20, labels: { tier: '1' }, boot: { kernel: 'vmlinuz' } });
    expect(await godwit('vm create web4 --file -', { input: 'memoryBytes: [' })).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/neither YAML nor JSON/),
    });
    expect(await godwit('vm create web4 --file -', { input: 'memoryMegabytes: 5' })).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/memoryMegabytes/),
    });
    await done('vm rm web3');
    // What fails on a host has its code, too, and leaves nothing.
    expect(await godwit('vm create web4 --disk image=nowhere.img')).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/nowhere\.img cannot be read/),
    });
    expect(await done('vm ls -o name')).toBe('web1\n');
  });
});

describe('migrations', () => {
  test('a dry run tells for each host; a rule against it is named, and the code is 4', async () => {
    const host = await hostOf('web1');
    const other = host === 'host-1' ? 'host-2' : 'host-1';
    expect(await godwit('migrate web1 --dry-run')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(new RegExp(`^HOST.*\\n${other} +would go here`)),
    });
    await done(`group add here ${host}`);
    await done('rule add stay --kind on --vm web1 --group here');
    const refused = await godwit('migrate web1 --dry-run');
    expect(refused).toMatchObject({ code: 4, stdout: expect.stringMatching(new RegExp(`${other} +not possible .*stay`)) });
    expect(await godwit('migrate web1')).toMatchObject({
      code: 4,
      stdout: '',
      stderr: expect.stringMatching(new RegExp(`stay.*web1 runs on ${host}`, 's')),
    });
    expect(await json('migrate web1 --dry-run')).toMatchObject({
      chosenHostId: '',
      hosts: [{ name: other, blockers: [{ message: expect.stringContaining('stay') }] }],
    });
    expect(await hostOf('web1')).toBe(host);
    expect(await godwit('group rm here')).toMatchObject({ code: 4, stderr: expect.stringMatching(/stay uses/) });
    await done('rule rm stay');
    await done('group rm here');
  });

  test('without a terminal: a line a round on standard error, the record on standard output', async () => {
    const from = await hostOf('web1');
    const { code, stdout, stderr } = await godwit('migrate web1 -o json');
    expect(code).toBe(0);
    const moved = JSON.parse(stdout);
    expect(moved).toMatchObject({ stage: 'ended', outcome: 'completed', vmName: 'web1', sourceHostName: from });
    const lines = stderr.trimEnd().split('\n');
    expect(lines[0]).toMatch(new RegExp(`^godwit: moving web1 from ${from} to `));
    expect(lines.filter((line) => /^godwit: round \d+: /.test(line))).toHaveLength(moved.record.roundCount);
    expect(stderr).toMatch(new RegExp(`web1 runs on ${moved.targetHostName} now; it stood still for .* \\(stop .*start .* ms\\)`));
    expect([stderr.includes('%'), stderr.includes('\x1b')]).toEqual([false, false]);
    expect(await hostOf('web1')).toBe(moved.targetHostName);
    // By its VM, and by the beginning of its id.
    expect((await json('migration show web1')).migrationId).toBe(moved.migrationId);
    expect((await json(`migration show ${moved.migrationId.slice(0, 8)}`)).record.rounds).toEqual(moved.record.rounds);
    expect(
      await done('events --migration web1 -o json').then((text) => JSON.parse(text).map(({ kind }: { kind: string }) => kind)),
    ).toEqual(['migration.started', 'migration.completed']);
  });

  test('on a terminal: rounds in their place, and at the end the pause by parts', async () => {
    const shown = terminal('migrate web1');
    expect(await shown.ended).toBe(0);
    const screen = screenOf(shown.text.replaceAll('\r\n', '\n'), COLUMNS).filter(Boolean);
    expect(shown.text).toContain('\x1b[J');
    expect(screen[0]).toMatch(/^round +pages +sent +took/);
    expect(screen.filter((line) => /^round/.test(line))).toHaveLength(1);
    expect(screen.at(-2)).toMatch(/^godwit: web1 runs on host-[12] now; it stood still for .*\(stop /);
    expect(screen.join('\n')).not.toContain('Ctrl-C');
  });

  test('Ctrl-C leaves the view, not the migration; then it is changed, and cancelled: 7, and the VM runs where it was', async () => {
    const host = await hostOf('web1');
    const shown = terminal('migrate web1 --bandwidth 300k');
    await shown.shows('copying memory while it runs');
    expect(await shown.stop()).toBe(8);
    expect(shown.text).toMatch(new RegExp(`the migration goes on; web1 runs on ${host}\\. To watch it: godwit migration watch`));
    expect(await json('migration ls --running')).toMatchObject([{ vmName: 'web1', stage: 'sending' }]);
    await done('migration set web1 --bandwidth 400k');
    const watching = godwit('migration watch web1');
    const cancelled = await godwit('migration cancel web1 --why a-test');
    expect([cancelled.code, cancelled.stderr]).toEqual([0, expect.stringMatching(new RegExp(`runs on ${host}`))]);
    expect(await watching).toMatchObject({ code: 7, stderr: expect.stringMatching(new RegExp(`cancelled.*runs on ${host}`, 's')) });
    expect(await hostOf('web1')).toBe(host);
    expect(await godwit('migration cancel web1')).toMatchObject({ code: 4, stderr: expect.stringMatching(/has ended/) });
  });
});

test('the console goes on over a migration and leaves with Ctrl-]; --detach and operation watch follow it', async () => {
  const screen = terminal('vm console web1');
  await screen.shows('Ctrl-] leaves');
  screen.type('\r');
  await screen.shows('~ #');
  screen.type('echo se$((40+2))en\r');
  await screen.shows('se42en');
  const id = (await done('migrate web1 --detach')).trim();
  expect(await godwit(`operation watch ${id}`)).toMatchObject({ code: 0 });
  await screen.shows('moved to ');
  screen.type('echo af$((40+3))er\r');
  await screen.shows('af43er');
  screen.type('\x1d');
  expect(await screen.ended).toBe(0);
  expect(screen.text).toContain('left the console of web1, which goes on');
  // From a pipe it stays when the input has ended.
  const piped = background('vm console web1');
  piped.type('echo pi$((40+4))ed\n');
  piped.close();
  await piped.shows('pi44ed');
  expect([await piped.stop(), piped.errors]).toEqual([0, '']);
});

describe('watches', () => {
  test('a list: each change is a line; with json an object a line', async () => {
    const all = [background('vm ls --watch'), background('vm ls -w -o json'), background('events --watch -o json --kind vm. --limit 1')];
    const [people, programs, events] = all;
    await Promise.all([people.shows(/^NAME[^\n]*\nweb1 /), programs.shows('"web1"'), events.shows('"kind"')]);
    await done('vm create web5 --memory 64M --kernel vmlinuz');
    await done('vm rm web5');
    await Promise.all([people.shows(/\nweb5 [\s\S]*web5 was removed\n/), programs.shows(/"removed".*"web5"/), events.shows('"web5"')]);
    expect(await Promise.all(all.map((one) => one.stop()))).toEqual([0, 0, 0]);
    const [changes, told] = [programs, events].map(({ text }) =>
      text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    );
    expect(changes[0]).toMatchObject({ change: 'put', item: { spec: { name: 'web1' } } });
    expect(changes).toContainEqual({
      change: 'removed',
      item: expect.objectContaining({ spec: expect.objectContaining({ name: 'web5' }) }),
    });
    expect(told.map(({ item }) => item)).toEqual(expect.arrayContaining([expect.objectContaining({ kind: 'vm.created', vmName: 'web5' })]));
  });

  test('on a terminal: one table, drawn again, until Ctrl-C', async () => {
    const shown = terminal('host ls --watch');
    await shown.shows('host-2');
    // Once more, three lines higher.
    await shown.shows('\x1b[3A');
    expect(await shown.stop()).toBe(0);
    expect(screenOf(shown.text.replaceAll('\r\n', '\n'), COLUMNS).filter((line) => line.startsWith('host-'))).toHaveLength(2);
    const top = terminal('top');
    await top.shows(/host-1[\s\S]*web1/);
    expect(await top.stop()).toBe(0);
  });
});

describe('hosts and the cluster', () => {
  test('a host is drained by its plan, is safe to power off, and takes VMs again', async () => {
    const host = await hostOf('web1');
    expect(await godwit(`host drain ${host} --dry-run`)).toMatchObject({ code: 0, stdout: expect.stringMatching(/web1 +host-[12] +live/) });
    expect(await godwit(`host rm ${host} --yes`)).toMatchObject({ code: 4 });
    const drained = await godwit(`host drain ${host}`);
    expect(drained).toMatchObject({ code: 0, stderr: expect.stringMatching(/safe to power off/) });
    expect(await json(`host show ${host}`)).toMatchObject({ state: 'HOST_STATE_MAINTENANCE', safeToPowerOff: true });
    const refused = await godwit('migrate web1');
    expect([refused.code, refused.stderr]).toEqual([4, expect.stringMatching(/maintenance/)]);
    await done(`host resume ${host}`);
    expect(await json(`host show ${host}`)).toMatchObject({ state: 'HOST_STATE_READY' });
  });

  test('settings, baseline, balance', async () => {
    await done('cluster set --migrations-per-host 3 --max-pause 60ms');
    expect(await json('cluster settings')).toMatchObject({ migrationsPerHost: 3, migration: { pauseBudgetMs: 60, maxRounds: 0 } });
    // What was not set stays as usual: migrations go on to work.
    expect(await godwit('migrate web1')).toMatchObject({ code: 0 });
    expect(await godwit('cluster set --host-dead 1s')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/dead after twice that time/),
    });
    expect((await json('cluster baseline --apply')).applied).toBe(true);
    expect((await json('cluster baseline --clear')).applied).toBe(false);
    expect(await godwit('cluster balance --dry-run')).toMatchObject({ code: 0, stderr: expect.stringMatching(/balanced/) });
    expect(await godwit('cluster status --check')).toMatchObject({ code: 0, stdout: expect.stringMatching(/health: +ok/) });
  });

  test('a controller that ends and comes back: a watch goes on', async () => {
    const watching = background('vm ls --watch -o json');
    await watching.shows('"web1"');
    const [controller] = cluster.controllers;
    await controller.end();
    await controller.start();
    await cluster.until(
      async () => (await cluster.api('Hosts').listHosts({})).hosts.every(({ state }: { state: string }) => state === 'HOST_STATE_READY'),
      'be whole again',
    );
    await done('vm change web1 -l again=yes');
    await watching.shows('"again":"yes"');
    expect(await watching.stop()).toBe(0);
  });
});

test('contexts are chosen and removed, and the file is the owner alone to read', async () => {
  const env = { ...cluster.env, GODWIT_CONTEXT: '' };
  expect(await godwit('context use away', { env })).toMatchObject({ code: 0 });
  expect(await godwit('vm ls', { env })).toMatchObject({ code: 5 });
  await done('context use test', { env });
  await done('context rm away', { env });
  expect(readFileSync(path.join(cluster.dir, 'config.yaml'), 'utf8')).toMatch(/^current: test/);
  expect(await godwit('context use away', { env })).toMatchObject({ code: 3 });
});
