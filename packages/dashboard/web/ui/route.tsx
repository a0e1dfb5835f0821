/** Addresses: each page has its own, and the browser's back and forward work. */
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';

const CHANGED = 'godwit:route';

export function go(to: string, { replace = false } = {}): void {
  if (replace) history.replaceState(null, '', to);
  else history.pushState(null, '', to);
  dispatchEvent(new Event(CHANGED));
  if (!replace) scrollTo(0, 0);
}

export function usePath(): string {
  const [path, set] = useState(location.pathname);
  useEffect(() => {
    const changed = (): void => set(location.pathname);
    for (const event of [CHANGED, 'popstate']) addEventListener(event, changed);
    return () => {
      for (const event of [CHANGED, 'popstate']) removeEventListener(event, changed);
    };
  }, []);
  return path;
}

interface LinkProps {
  readonly to: string;
  readonly class?: string;
  readonly children: ComponentChildren;
  readonly [name: string]: unknown;
}

export function Link({ to, children, ...rest }: LinkProps) {
  const follow = (event: MouseEvent): void => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    go(to);
  };
  return (
    <a href={to} onClick={follow} {...rest}>
      {children}
    </a>
  );
}

export const vmPath = (name: string): string => `/vms/${encodeURIComponent(name)}`;
export const hostPath = (name: string): string => `/hosts/${encodeURIComponent(name)}`;
export const migrationPath = (id: string): string => `/migrations/${id}`;
