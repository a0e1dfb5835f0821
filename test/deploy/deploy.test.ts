/**
 * Proves that what stands in deploy/ for an operator to install is sound: configurations pass the checks of the
 * programs that read them, units pass systemd's own (where it is), and keep what the product relies on; every file
 * that the guide names is there. That its commands work: test/cluster/long/guide.test.ts.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseAgentConfig } from '@godwit/agent';
import { checkConfig, resolvePaths } from '@godwit/controller';

const deploy = path.join(__dirname, '..', '..', 'deploy');
const text = (...names: string[]): string => readFileSync(path.join(deploy, ...names), 'utf8');
const examples = readdirSync(path.join(deploy, 'examples'));
const units = readdirSync(path.join(deploy, 'systemd'));

test.each(examples.filter((name) => name.startsWith('controller')))('%s is a configuration that a controller takes', (name) => {
  const config = checkConfig(
    resolvePaths(JSON.parse(text('examples', name)) as Record<string, unknown>, '/var/lib/godwit/controller'),
    name,
  );
  expect(config.tls).toBe('/var/lib/godwit/controller/tls');
});

test.each(examples.filter((name) => name.startsWith('agent')))('%s is a configuration that an agent takes', (name) => {
  expect(parseAgentConfig(text('examples', name), name)).toMatchObject({ join: { tokenFile: '/etc/godwit/token' } });
});

test('no other file is among the examples', () => {
  expect(examples.filter((name) => !/^(agent|controller).*\.json$/.test(name))).toEqual([]);
});

/** Section → setting → values, as systemd.syntax(7) has them. @throws Error for a line that is none */
function parseUnit(unit: string): Map<string, Map<string, string[]>> {
  const sections = new Map<string, Map<string, string[]>>();
  let section: Map<string, string[]> | undefined;
  for (const [at, line] of unit.split('\n').entries()) {
    if (/^\s*([#;].*)?$/.test(line)) continue;
    const head = /^\[([A-Za-z]+)\]$/.exec(line);
    const setting = /^([A-Za-z]+)=(.*)$/.exec(line);
    if (head) sections.set(head[1], (section = new Map()));
    else if (setting && section) section.set(setting[1], [...(section.get(setting[1]) ?? []), setting[2]]);
    else throw new Error(`line ${at + 1} is no setting: ${line}`);
  }
  return sections;
}

test.each(units)('%s names a command of godwit, runs without root and comes back', (name) => {
  const unit = parseUnit(text('systemd', name));
  const service = unit.get('Service')!;
  expect([...unit.keys()]).toEqual(['Unit', 'Service', 'Install']);
  expect(service.get('ExecStart')).toEqual([expect.stringMatching(/^\/usr\/local\/bin\/godwit (agent|controller) \/\S+\.json$/)]);
  expect(service.get('User')).toEqual(['godwit']);
  expect(service.get('Restart')).toEqual(['always']);
  expect(service.get('NoNewPrivileges')).toEqual(['yes']);
});

test('the agent’s unit leaves its VMs alone when it ends', () => {
  const service = parseUnit(text('systemd', 'godwit-agent.service')).get('Service')!;
  expect(service.get('KillMode')).toEqual(['process']);
  expect(service.get('OOMPolicy')).toEqual(['continue']);
  // Its state is where the example says.
  expect(`/var/lib/${service.get('StateDirectory')}`).toBe((JSON.parse(text('examples', 'agent.json')) as { stateDir: string }).stateDir);
});

const analyze = spawnSync('systemd-analyze', ['--version']).status === 0 ? test : test.skip;

analyze.each(units)('systemd-analyze has nothing against %s', (name) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'godwit-units-'));
  try {
    // It looks for the program, which is not installed here.
    writeFileSync(path.join(folder, name), text('systemd', name).replace('/usr/local/bin/godwit', '/bin/true'));
    const { stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', '--recursive-errors=no', path.join(folder, name)], {
      encoding: 'utf8',
    });
    expect((stdout + stderr).split('\n').filter((line) => line.includes(name))).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a line of a unit that is no setting is found', () => {
  expect(() => parseUnit('[Service]\nKillMode process\n')).toThrow('line 2 is no setting');
});

const nats = ['/usr/sbin/nats-server', '/usr/bin/nats-server'].find((file) => existsSync(file));
(nats ? test : test.skip)('the NATS configuration is one that nats-server reads', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'godwit-nats-conf-'));
  try {
    const names = ['ca.pem', 'cert.pem', 'key.pem'].map((name) => path.join(folder, name));
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-subj',
        '/CN=nats',
        '-keyout',
        names[2],
        '-out',
        names[1],
      ],
      { stdio: 'ignore' },
    );
    writeFileSync(names[0], readFileSync(names[1]));
    const file = path.join(folder, 'nats-server.conf');
    writeFileSync(file, text('nats', 'nats-server.conf').replaceAll('/etc/godwit/nats', folder).replaceAll('/var/lib/nats', folder));
    const { status, stdout, stderr } = spawnSync(nats!, ['-t', '-c', file], { encoding: 'utf8' });
    expect([status, stdout + stderr]).toEqual([0, expect.stringContaining('configuration file')]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('every file of deploy/ that the guide names is there', () => {
  const named = [...text('README.md').matchAll(/\/opt\/godwit\/(deploy\/[\w./-]+)/g)].map(([, name]) => name);
  expect(named.length).toBeGreaterThan(2);
  expect(named.filter((name) => !existsSync(path.join(deploy, '..', name)))).toEqual([]);
});
