/**
 * Writes src/generated from the .proto files: a file of types for each of them, and one that names
 * the services. Checked in, so that a plain `tsc -b` builds; a test fails when they are stale.
 *
 *   node packages/wire/scripts/generate.mjs
 *
 * A message becomes one interface, for what is received and, through `Input`, for what is sent:
 * src/schema/codec.ts says what stands where.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import protobuf from 'protobufjs';

const { Enum, Root, Service, Type, parse } = protobuf;

const SCALARS = {
  double: 'number',
  float: 'number',
  int32: 'number',
  uint32: 'number',
  sint32: 'number',
  fixed32: 'number',
  sfixed32: 'number',
  int64: 'number',
  uint64: 'number',
  sint64: 'number',
  fixed64: 'number',
  sfixed64: 'number',
  bool: 'boolean',
  string: 'string',
  bytes: 'Buffer',
};

/** @returns {Map<string, string>} text by file name */
export function generate(protoFolder) {
  const folder = path.join(protoFolder, 'godwit', 'v1');
  const root = new Root();
  const files = readdirSync(folder)
    .filter((file) => file.endsWith('.proto'))
    .sort();
  // Only `parse` keeps comments that begin with `//`.
  for (const file of files) {
    parse.filename = file;
    parse(readFileSync(path.join(folder, file), 'utf8'), root, { alternateCommentMode: true });
  }
  root.resolveAll();
  const all = root.lookup('godwit.v1').nestedArray;
  const texts = new Map();
  const services = [];
  for (const file of files) {
    const own = all.filter((each) => each.filename === file);
    const text = typesFile(file, own);
    if (text) texts.set(`${path.basename(file, '.proto')}.ts`, text);
    services.push(...own.filter((each) => each instanceof Service));
  }
  texts.set('services.ts', servicesFile(services));
  texts.set(
    'index.ts',
    `${HEAD}${[...texts.keys()]
      .sort()
      .map((file) => `export type * from './${path.basename(file, '.ts')}';\n`)
      .join('')}`,
  );
  return texts;
}

const HEAD = '// Made by packages/wire/scripts/generate.mjs from proto/godwit/v1: change it there.\n';

function typesFile(file, own) {
  const used = new Map();
  const bodies = own.filter((each) => !(each instanceof Service)).flatMap((each) => declare(each, file, used));
  if (bodies.length === 0) return undefined;
  const imports = [...used]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([from, names]) => `import type { ${[...names].sort().join(', ')} } from './${from}';\n`);
  return `${HEAD}${imports.join('')}\n${bodies.join('\n')}`;
}

/** Messages within messages are named after both: OrderResult.WaitingVmm is OrderResultWaitingVmm. */
const nameOf = (type) => (type.parent instanceof Type ? nameOf(type.parent) : '') + type.name;
const fileOf = (type) => (type.parent instanceof Type ? fileOf(type.parent) : type.filename);

function declare(item, file, used) {
  if (item instanceof Enum)
    return [
      `${comment(item.comment, '')}export type ${nameOf(item)} = ${Object.keys(item.values)
        .map((name) => `'${name}'`)
        .join(' | ')};\n`,
    ];
  const lines = item.fieldsArray.map(
    (field) => `${comment(field.comment, '  ')}  readonly ${field.name}${mark(field)}: ${typeOf(field, file, used)};\n`,
  );
  for (const oneof of item.oneofsArray ?? []) {
    if (!oneof.isProto3Optional)
      lines.push(
        `${comment(`Which of them is set. ${oneof.comment ?? ''}`.trim(), '  ')}  readonly ${oneof.name}?: ${oneof.oneof.map((name) => `'${name}'`).join(' | ')};\n`,
      );
  }
  const inner = (item.nestedArray ?? []).flatMap((each) => declare(each, file, used));
  const body = lines.length === 0 ? '{}' : `{\n${lines.join('')}}`;
  return [
    `${comment(item.comment, '')}export ${lines.length === 0 ? `type ${nameOf(item)} = Readonly<Record<never, never>>;` : `interface ${nameOf(item)} ${body}`}\n`,
    ...inner,
  ];
}

const mark = (field) => (field.partOf || (field.resolvedType instanceof Type && !field.repeated && !field.map) ? '?' : '');

function typeOf(field, file, used) {
  const { resolvedType } = field;
  const plain = resolvedType ? nameOf(resolvedType) : SCALARS[field.type];
  if (resolvedType && fileOf(resolvedType) !== file) {
    const from = path.basename(fileOf(resolvedType), '.proto');
    used.set(from, (used.get(from) ?? new Set()).add(plain));
  }
  if (field.map) return `Readonly<Record<string, ${plain}>>`;
  return field.repeated ? `readonly ${plain}[]` : plain;
}

function servicesFile(services) {
  const used = new Map();
  const kinds = new Set();
  const named = (type) => {
    const from = path.basename(fileOf(type), '.proto');
    used.set(from, (used.get(from) ?? new Set()).add(nameOf(type)));
    return nameOf(type);
  };
  const bodies = services.map((service) => {
    const methods = service.methodsArray.map((method) => {
      const kind = `${method.requestStream ? (method.responseStream ? 'Bidi' : 'ClientStream') : method.responseStream ? 'ServerStream' : 'Unary'}`;
      kinds.add(kind);
      return `${comment(method.comment, '    ')}    readonly ${method.name[0].toLowerCase()}${method.name.slice(1)}: ${kind}<${named(method.resolvedRequestType)}, ${named(method.resolvedResponseType)}>;\n`;
    });
    return `${comment(service.comment, '  ')}  readonly ${service.name}: {\n${methods.join('')}  };\n`;
  });
  const imports = [...used]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([from, names]) => `import type { ${[...names].sort().join(', ')} } from './${from}';\n`);
  return `${HEAD}import type { ${[...kinds].sort().join(', ')} } from '../schema/kinds';\n${imports.join('')}
/** Every service, with its methods by their names in TypeScript. */
export interface Services {\n${bodies.join('')}}\n
export type ServiceName = keyof Services;\n`;
}

function comment(text, indent) {
  if (!text) return '';
  const lines = text
    .replaceAll('*/', '* /')
    .split('\n')
    .map((line) => line.trimEnd());
  return lines.length === 1
    ? `${indent}/** ${lines[0]} */\n`
    : `${indent}/**\n${lines.map((line) => `${indent} * ${line}`.trimEnd()).join('\n')}\n${indent} */\n`;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const here = path.dirname(fileURLToPath(import.meta.url));
  const folder = path.join(here, '..', 'src', 'generated');
  const texts = generate(path.join(here, '..', '..', '..', 'proto'));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [file, text] of texts) writeFileSync(path.join(folder, file), text);
  process.stderr.write(`wrote ${texts.size} files to ${path.relative(process.cwd(), folder)}\n`);
}
