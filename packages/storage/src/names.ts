/** Names that become parts of paths come from users and other hosts: only these pass. */
import { StorageError } from './errors';
import { MAX_NAME_LENGTH } from './limits';

const NAME = new RegExp(`^[A-Za-z0-9][A-Za-z0-9._-]{0,${MAX_NAME_LENGTH - 1}}$`);

export const isName = (name: unknown): name is string => typeof name === 'string' && NAME.test(name);

/** @throws StorageError EINVAL */
export function checkName(name: unknown, what: string): string {
  if (isName(name)) return name;
  throw new StorageError(
    'EINVAL',
    `${JSON.stringify(name)} is no name for a ${what}: use letters, digits, '.', '_' and '-', at most ${MAX_NAME_LENGTH}, not beginning with a mark`,
  );
}

/** A relative path without tricks; '' is the root. @throws StorageError EINVAL */
export function checkPath(path: string): string {
  const parts = path.split('/');
  if (path !== '' && (path.includes('\0') || parts.some((part) => part === '' || part === '.' || part === '..'))) {
    throw new StorageError('EINVAL', `${JSON.stringify(path)} is no path inside a datastore`);
  }
  return path;
}
