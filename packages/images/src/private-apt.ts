/**
 * A private apt root for another architecture.
 *
 * Guests are i386, hosts amd64. Adding i386 to the host's own dpkg would change what
 * the host's next upgrade does, and needs root. So apt gets a configuration of its
 * own: the system's sources and trusted keys (whatever their format; apt reads them
 * itself), but its own architecture, package lists, archive cache and an empty list
 * of installed packages. It needs no privilege and leaves no trace outside `root`.
 *
 * apt's own checks stay as they are: signed indexes, hashed packages. An index that
 * cannot be fetched or fails its check is left out, and it is an error only when a
 * wanted package is then not found: a machine's sources may well include some that
 * know nothing of i386.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ImageError, runTool, tryTool, type ToolOptions } from './run-tool';

export class PrivateApt {
  private readonly options: ToolOptions;
  /** Leads every call's arguments. */
  private readonly config: string;
  private updateProblem = '';

  constructor(
    private readonly root: string,
    readonly architecture: string,
  ) {
    for (const folder of ['state/lists/partial', 'cache/archives/partial']) {
      mkdirSync(join(root, folder), { recursive: true });
    }
    writeFileSync(join(root, 'state/status'), '');
    const config = join(root, 'apt.conf');
    writeFileSync(config, aptConfiguration(root, architecture));
    // Not $APT_CONFIG: apt reads that before /etc/apt/apt.conf.d, which could then undo it; `-c` comes after.
    this.config = `-c=${config}`;
    this.options = { cwd: root };
  }

  /** Fetches the package lists. Returns what went wrong, or an empty string. */
  update(): string {
    this.updateProblem = tryTool('apt-get', [this.config, 'update', '-q'], this.options).problem;
    return this.updateProblem;
  }

  /** The fields of the newest version of a package. */
  show(name: string): Record<string, string> {
    const { stdout } = tryTool('apt-cache', [this.config, 'show', '--no-all-versions', name], this.options);
    const fields = parseRecord(stdout);
    if (fields.Package !== name) {
      const reason = this.updateProblem ? `; the package lists are incomplete: ${this.updateProblem}` : '';
      throw new ImageError(`the package ${name} for ${this.architecture} is not in this machine's Debian sources${reason}`);
    }
    return fields;
  }

  /** Downloads packages into `folder`, as `<name>_<version>_<architecture>.deb`. */
  download(names: string[], folder: string): void {
    mkdirSync(folder, { recursive: true });
    runTool('apt-get', [this.config, 'download', '-q', ...names], { ...this.options, cwd: folder });
  }

  /**
   * Downloads packages with all that they depend on, from an empty system up. Names
   * may be apt patterns, as `?essential`. Returns the archives' paths; their names are apt's own.
   */
  downloadClosure(names: readonly string[]): string[] {
    const folder = join(this.root, 'cache/archives');
    const args = ['install', '--download-only', '--no-install-recommends', '--yes', '-q', ...names];
    const { ok, problem } = tryTool('apt-get', [this.config, ...args], this.options);
    if (!ok) throw new ImageError(this.updateProblem ? `${problem}; the package lists are incomplete: ${this.updateProblem}` : problem);
    return readdirSync(folder)
      .filter((file) => file.endsWith('.deb'))
      .sort()
      .map((file) => join(folder, file));
  }
}

/** The first record of apt-cache's output; continuation lines are dropped. */
export function parseRecord(text: string): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const line of text.split('\n\n')[0].split('\n')) {
    const field = /^([A-Za-z0-9-]+):\s*(.*)$/.exec(line);
    if (field) fields[field[1]] = field[2];
  }
  return fields;
}

/** The package a metapackage stands for: its first dependency with the given prefix. */
export function dependencyWithPrefix(depends: string, prefix: string): string | undefined {
  return depends
    .split(/[,|]/)
    .map((one) => one.trim().split(/[\s(:]/)[0])
    .find((name) => name.startsWith(prefix));
}

function aptConfiguration(root: string, architecture: string): string {
  return `
#clear APT::Architectures;
APT::Architecture "${architecture}";
APT::Architectures { "${architecture}"; };
Dir::State "${root}/state";
Dir::State::status "${root}/state/status";
Dir::Cache "${root}/cache";
// Hooks of the system's own apt would work on the system's own folders.
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
// Descriptions, icons and file listings are not read here.
Acquire::Languages "none";
#clear Acquire::IndexTargets::deb::DEP-11;
#clear Acquire::IndexTargets::deb::DEP-11-icons-small;
#clear Acquire::IndexTargets::deb::DEP-11-icons;
#clear Acquire::IndexTargets::deb::CNF;
#clear Acquire::IndexTargets::deb::Contents-deb;
Acquire::Retries "3";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
// The _apt user may have no right to write below the caller's folder.
APT::Sandbox::User "root";
`;
}
