/** What stands in for commands that a test machine cannot run (machine.mjs): node shims.mjs COMMAND ARGUMENT… */
import { execFileSync, spawn } from 'node:child_process';
import { chownSync, chmodSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const { MACHINES, MACHINE } = process.env;
const run = (command, args) => execFileSync(command, args, { stdio: 'inherit' });
/** Another machine's file, from here: FOLDER of that one's root. */
const remote = (machine, file) => `/proc/${readFileSync(path.join(MACHINES, `${machine}.pid`), 'utf8')}/root${file}`;

const COMMANDS = {
  'apt-get': () => {},
  npm: () => {},
  exportfs: () => {
    if (!/^\/\S+( \S+\([\w,]+\))+$/m.test(readFileSync('/etc/exports', 'utf8'))) throw new Error('/etc/exports has no export');
  },
  /** Only NFS; the real one for everything else. */
  mount: (args) => {
    const [kind, , options, where, at] = [args[1], args[2], args[3], args[4], args[5]];
    if (args[0] !== '-t' || kind !== 'nfs') return run('/usr/bin/mount', args);
    if (!/hard/.test(options)) throw new Error('NFS is to be mounted hard');
    const [machine, folder] = where.split(':');
    // Its /srv is a folder that all machines can see.
    run('/usr/bin/mount', ['--bind', path.join(MACHINES, machine, folder), at]);
  },
  scp: (args) => {
    const names = args.filter((one) => !one.startsWith('-'));
    const to = names.pop();
    const sources = names.map((one) => remote(one.slice(0, one.indexOf(':')), one.slice(one.indexOf(':') + 1)));
    // A shell, since the far side resolves patterns.
    run('sh', ['-c', `cp ${args.some((one) => /^-\w*r/.test(one)) ? '-a' : '-p'} ${sources.join(' ')} ${to}`]);
  },
  systemctl: ([what, ...rest]) => {
    if (what === 'daemon-reload') return;
    const name = rest.filter((one) => !one.startsWith('-'))[0].replace(/(\.service)?$/, '.service');
    if (what === 'enable') return start(name);
    const pid = Number(readFileSync(path.join(MACHINE, 'tmp', `${name}.pid`), 'utf8'));
    // As KillMode=process does it; a unit of the controller has but one process.
    if (what === 'stop' || what === 'restart') process.kill(pid, 'SIGTERM');
    if (what === 'restart') start(name);
  },
};

/** What of a unit matters here: its command, its user with the capabilities, its state's folder. */
function start(name) {
  const own = `/etc/systemd/system/${name}`;
  const service = existsSync(own) ? settings(readFileSync(own, 'utf8')) : settings(DISTRIBUTION[name] ?? '');
  const [command] = service.get('ExecStart') ?? [];
  if (!command) throw new Error(`there is no unit ${name}`);
  const [user] = service.get('User') ?? ['root'];
  const [uid, gid] = user === 'root' ? [0, 0] : ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, user], { encoding: 'utf8' })));
  for (const folder of service.get('StateDirectory') ?? []) {
    const at = path.join('/var/lib', folder);
    mkdirSync(at, { recursive: true });
    chownSync(at, uid, gid);
    chmodSync(at, Number.parseInt(service.get('StateDirectoryMode')?.[0] ?? '755', 8));
  }
  const capabilities = (service.get('AmbientCapabilities') ?? []).map((one) => `+${one.replace('CAP_', '').toLowerCase()}`).join(',');
  const as = user === 'root' ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', ...(capabilities ? [`--inh-caps=${capabilities}`, `--ambient-caps=${capabilities}`] : []), '--no-new-privs'];
  const log = openSync(path.join(MACHINE, 'tmp', 'journal'), 'a');
  const { PATH, LANG } = process.env;
  const [program, ...args] = [...as, ...command.split(' ')];
  const child = spawn(program, args, { stdio: ['ignore', log, log], detached: true, cwd: '/', env: { PATH, LANG, HOME: '/' } });
  writeFileSync(path.join(MACHINE, 'tmp', `${name}.pid`), `${child.pid}`);
  child.unref();
}

/** Units that come with packages. */
const DISTRIBUTION = { 'nats-server.service': '[Service]\nExecStart=/usr/sbin/nats-server -c /etc/nats-server.conf\n' };

function settings(unit) {
  const all = new Map();
  for (const line of unit.split('\n')) {
    const setting = /^([A-Za-z]+)=(.*)$/.exec(line);
    if (setting) all.set(setting[1], [...(all.get(setting[1]) ?? []), setting[2]]);
  }
  return all;
}

const [command, ...args] = process.argv.slice(2);
COMMANDS[command](args);
