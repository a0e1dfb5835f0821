// build-native.cjs PACKAGE [--sanitize]: builds a package's native part (binding.gyp, native/)
// with node-gyp when its sources are newer than the binary. Uses the headers that lie beside the running Node, so that nothing is
// downloaded; falls back to node-gyp's own way where there are none.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const name = process.argv[2];
const here = path.join(__dirname, '..', 'packages', name);
// --sanitize: the build with UndefinedBehaviorSanitizer, used with GODWIT_NATIVE=Debug.
const sanitize = process.argv.includes('--sanitize');
const output = path.join(here, 'build', sanitize ? 'Debug' : 'Release', `godwit_${name}.node`);
const inputs = ['binding.gyp', ...fs.readdirSync(path.join(here, 'native')).map((f) => path.join('native', f))];
const newest = Math.max(...inputs.map((f) => fs.statSync(path.join(here, f)).mtimeMs));
if (fs.existsSync(output) && fs.statSync(output).mtimeMs > newest) process.exit(0);

function nodeGyp() {
  for (const candidate of ['node-gyp/bin/node-gyp.js', 'npm/node_modules/node-gyp/bin/node-gyp.js']) {
    try {
      return require.resolve(candidate, { paths: [here, path.join(path.dirname(process.execPath), '..', 'lib', 'node_modules')] });
    } catch {}
    const beside = path.join(path.dirname(process.execPath), '..', 'lib', 'node_modules', candidate);
    if (fs.existsSync(beside)) return beside;
  }
  console.error('godwit: node-gyp was not found: run npm install first');
  return process.exit(1);
}

const prefix = path.join(path.dirname(fs.realpathSync(process.execPath)), '..');
const args = [nodeGyp(), 'configure', 'build', '--silent', sanitize ? '--debug' : '--release'];
if (fs.existsSync(path.join(prefix, 'include', 'node', 'node_api.h'))) args.push(`--nodedir=${prefix}`);
const result = spawnSync(process.execPath, args, { cwd: here, encoding: 'utf8', env: { ...process.env, JOBS: '2' } });
if (result.status !== 0) {
  console.error(`${result.stdout}\n${result.stderr}\ngodwit: the native part of packages/${name} did not build: it needs make, g++ and python3`);
  process.exit(1);
}
const noise = result.stderr.split('\n').filter((l) => /warning|error/.test(l));
if (noise.length) console.error(noise.join('\n'));
