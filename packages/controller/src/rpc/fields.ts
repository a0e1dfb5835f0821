/** Reads fields of messages from outside: what is not there or of another kind is as if left out. */
import type { Message } from './rpc';

export const text = (message: Message | undefined, name: string): string => {
  const value = message?.[name];
  return typeof value === 'string' ? value : '';
};
export const number = (message: Message | undefined, name: string): number => {
  const value = message?.[name];
  const found = typeof value === 'string' ? Number(value) : value;
  return typeof found === 'number' && Number.isFinite(found) ? found : 0;
};
/** Of an `optional` field: undefined if it is not set. */
export const maybe = (message: Message | undefined, name: string): number | undefined => {
  const value = message?.[name];
  return value === undefined || value === null ? undefined : number(message, name);
};
export const flag = (message: Message | undefined, name: string): boolean => message?.[name] === true;
export const inner = (message: Message | undefined, name: string): Message | undefined => {
  const value = message?.[name];
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
    ? (value as Message)
    : undefined;
};
export const messages = (message: Message | undefined, name: string): Message[] => {
  const value = message?.[name];
  return Array.isArray(value) ? value.filter((one): one is Message => typeof one === 'object' && one !== null) : [];
};
export const texts = (message: Message | undefined, name: string): string[] => {
  const value = message?.[name];
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
};
export const bytes = (message: Message | undefined, name: string): Uint8Array => {
  const value = message?.[name];
  return value instanceof Uint8Array ? value : new Uint8Array();
};
export const textMap = (message: Message | undefined, name: string): Record<string, string> =>
  Object.fromEntries(Object.entries(inner(message, name) ?? {}).filter((pair): pair is [string, string] => typeof pair[1] === 'string'));
/** `VM_STATE_RUNNING` with prefix `VM_STATE_` is `running`; unspecified is ''. */
export const word = (message: Message | undefined, name: string, prefix: string): string => {
  const value = text(message, name);
  const short = value.startsWith(prefix) ? value.slice(prefix.length).toLowerCase() : '';
  return short === 'unspecified' ? '' : short;
};
export const enumName = (prefix: string, value: string): string => `${prefix}${(value || 'unspecified').toUpperCase()}`;
