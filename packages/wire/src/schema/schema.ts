/** The .proto files of proto/godwit/v1, read when first needed (about 50 ms): all that are there. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { Root } from 'protobufjs';

/** The repository's folder proto/, seen from packages/wire/{src,dist}/schema. */
export const PROTO_FOLDER = path.resolve(__dirname, '..', '..', '..', '..', 'proto');
export const PACKAGE = 'godwit.v1';
const SUBFOLDER = PACKAGE.replaceAll('.', '/');

/** Paths as imports name them: godwit/v1/types.proto, … */
export const protoFiles = (): string[] =>
  readdirSync(path.join(PROTO_FOLDER, SUBFOLDER))
    .filter((file) => file.endsWith('.proto'))
    .sort()
    .map((file) => `${SUBFOLDER}/${file}`);

let loaded: Root | undefined;

export function schema(): Root {
  if (loaded) return loaded;
  const root = new Root();
  root.resolvePath = (_origin, target) => (path.isAbsolute(target) ? target : path.join(PROTO_FOLDER, target));
  root.loadSync(protoFiles());
  root.resolveAll();
  return (loaded = root);
}
