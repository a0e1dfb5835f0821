/** What would be sent, held against proto/: every field known and of its type, as the wire's codec demands. */
import path from 'node:path';
import { Enum, Root, Type } from 'protobufjs';

const FOLDER = path.join(__dirname, '../../../../proto');
const root = new Root();
root.resolvePath = (_, target) => path.join(FOLDER, target);
root.loadSync('godwit/v1/controller.proto');

export const answerType = (service: string, method: string): Type => {
  const found = root.lookupService(`godwit.v1.${service}`).methods[method];
  return root.lookupType(`godwit.v1.${found.responseType}`);
};

/** @throws Error naming the field */
export function checkMessage(type: Type, message: object, where = type.name): void {
  for (const [name, value] of Object.entries(message)) {
    if (value === undefined || value === null) continue;
    const field = type.fields[name]?.resolve();
    if (!field) throw new Error(`${where} has no field ${name}`);
    const one = (item: unknown): void => {
      if (field.resolvedType instanceof Type) return checkMessage(field.resolvedType, item as object, `${where}.${name}`);
      const fits =
        field.resolvedType instanceof Enum
          ? typeof item === 'string' && item in field.resolvedType.values
          : field.type === 'string'
            ? typeof item === 'string'
            : field.type === 'bool'
              ? typeof item === 'boolean'
              : field.type === 'bytes'
                ? item instanceof Uint8Array
                : typeof item === 'number' && (field.type === 'double' || Number.isInteger(item));
      if (!fits) throw new Error(`${where}.${name} cannot be ${JSON.stringify(item)}`);
    };
    if (field.map) Object.values(value as object).forEach(one);
    else if (field.repeated) (value as unknown[]).forEach(one);
    else one(value);
  }
}
