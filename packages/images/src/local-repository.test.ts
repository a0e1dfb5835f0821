// Proves that apt itself accepts the source: a made-up package with an epoch in its
// version is found, checked and fetched from it.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildRepository } from './local-repository';
import { runTool } from './run-tool';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'godwit-repository-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('apt downloads from it, by suite and version', () => {
  const tree = join(folder, 'tree/DEBIAN');
  mkdirSync(tree, { recursive: true });
  const control = 'Package: bird\nVersion: 2:1.0-1\nArchitecture: i386\nMaintainer: none <a@b.c>\nDescription: none\n';
  writeFileSync(join(tree, 'control'), control);
  const archive = join(folder, 'bird_2%3a1.0-1_i386.deb');
  runTool('dpkg-deb', ['--root-owner-group', '--build', join(folder, 'tree'), archive]);
  const { source, versions } = buildRepository([archive], join(folder, 'repository'), 'bookworm', 'i386');
  expect(versions).toEqual({ bird: '2:1.0-1' });

  for (const path of ['state/lists/partial', 'cache/archives/partial', 'out']) mkdirSync(join(folder, path), { recursive: true });
  writeFileSync(join(folder, 'state/status'), '');
  writeFileSync(join(folder, 'sources.list'), `${source}\n`);
  const config = join(folder, 'apt.conf');
  writeFileSync(config, aptConfiguration(folder));
  const options = [`-c=${config}`];
  runTool('apt-get', [...options, 'update']);
  runTool('apt-get', [...options, 'download', '-t', 'bookworm', 'bird'], { cwd: join(folder, 'out') });
  expect(readdirSync(join(folder, 'out'))).toHaveLength(1);
});

/** Nothing of the host's: not its sources, not its hooks. */
const aptConfiguration = (root: string) => `
#clear APT::Architectures;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
APT::Architecture "i386";
APT::Sandbox::User "root";
Acquire::Languages "none";
Dir::Etc::SourceList "${root}/sources.list";
Dir::Etc::SourceParts "-";
Dir::State "${root}/state";
Dir::State::status "${root}/state/status";
Dir::Cache "${root}/cache";
`;
