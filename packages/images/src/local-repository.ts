/**
 * Turns a folder of packages into an apt source of its own, so that the system is
 * built offline from exactly the packages that were downloaded and checked. They are
 * linked under plain names: apt takes the `%3a` in its own ones for a colon.
 */
import { createHash } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseRecord } from './private-apt';
import { runTool } from './run-tool';

export interface LocalRepository {
  /** A line for sources.list. apt checked the packages when it fetched them: no second signature. */
  source: string;
  /** Package name to version. */
  versions: Record<string, string>;
}

export function buildRepository(archives: readonly string[], folder: string, suite: string, architecture: string): LocalRepository {
  mkdirSync(folder, { recursive: true });
  const versions: Record<string, string> = {};
  const records = archives.map((archive) => {
    const control = runTool('dpkg-deb', ['--field', archive]).trimEnd();
    const { Package: name, Version: version } = parseRecord(control);
    versions[name] = version;
    linkSync(archive, join(folder, `${name}.deb`));
    const data = readFileSync(archive);
    return `${control}\nFilename: ./${name}.deb\nSize: ${data.length}\nSHA256: ${sha256(data)}\n`;
  });
  const packages = Buffer.from(records.join('\n'));
  writeFileSync(join(folder, 'Packages'), packages);
  // The suite's name is what mmdebstrap picks the base system by.
  const hashes = `SHA256:\n ${sha256(packages)} ${packages.length} Packages\n`;
  writeFileSync(join(folder, 'Release'), `Suite: ${suite}\nCodename: ${suite}\nArchitectures: ${architecture}\n${hashes}`);
  return { source: `deb [trusted=yes] copy:${folder} ./`, versions };
}

const sha256 = (data: Buffer) => createHash('sha256').update(data).digest('hex');
