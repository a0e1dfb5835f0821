import { MAX_INTERFACE_NAME } from './limits';

/** Throws for a name that Linux does not take for an interface, or that a command could misread. */
export function checkInterfaceName(name: string): void {
  if (name.length <= MAX_INTERFACE_NAME && /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(name)) return;
  throw Object.assign(
    new Error(
      `${JSON.stringify(name.slice(0, 40))} is no interface's name: use 1 to ${MAX_INTERFACE_NAME} letters, digits, dots, dashes and underscores`,
    ),
    { code: 'GODWIT_NETWORK' },
  );
}
