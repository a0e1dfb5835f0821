/**
 * Names of backing files are written by whoever made the image. Plain paths
 * only: QEMU would also take protocols (`nbd:...`) and JSON there.
 */
import { ImageFormatError } from './errors';

export function checkBackingName(name: string, file: string): void {
  if (/^[a-z][a-z0-9+.-]*:/i.test(name)) {
    throw new ImageFormatError(`${file} lies over "${name}", which is not a file's name: change it with qemu-img rebase -u`);
  }
}

/**
 * The path of a backing file, as QEMU finds it: an absolute name as it is, a
 * relative one from the folder of the image that names it. `.` and `..` are
 * resolved by their letters, so that the result can be compared and checked.
 * Whether a place outside some folder may be read is for the caller to say.
 */
export function resolveBackingName(name: string, from: string): string {
  const folder = from.slice(0, from.lastIndexOf('/') + 1);
  const path = name.startsWith('/') ? name : folder + name;
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..' && parts.length > 0 && parts[parts.length - 1] !== '..') parts.pop();
    else if (part !== '..' || !path.startsWith('/')) parts.push(part);
  }
  return (path.startsWith('/') ? '/' : '') + parts.join('/');
}
