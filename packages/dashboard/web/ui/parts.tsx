/** Small parts that every page uses. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { hostWord, percent, VM_SIGNS, vmWord } from '../model/words';
import type { Host, Vm } from '../model/types';
import { hostPath, Link, vmPath } from './route';

export function Page({ title, sub, actions, children }: { title: ComponentChildren; sub?: ComponentChildren; actions?: ComponentChildren; children: ComponentChildren }) {
  return (
    <>
      <header class="page-head">
        <div class="page-title">
          <h1 tabIndex={-1}>{title}</h1>
          {sub && <div class="page-sub">{sub}</div>}
        </div>
        {actions && <div class="page-actions">{actions}</div>}
      </header>
      {children}
    </>
  );
}

export function Panel({ title, aside, children, class: more = '' }: { title: string; aside?: ComponentChildren; children: ComponentChildren; class?: string }) {
  return (
    <section class={`panel ${more}`} aria-label={title}>
      <div class="panel-head">
        <h2>{title}</h2>
        {aside && <div class="panel-aside">{aside}</div>}
      </div>
      {children}
    </section>
  );
}

/** A figure with its name. */
export function Figure({ name, value, sub, tone = '', big = false }: { name: string; value: ComponentChildren; sub?: ComponentChildren; tone?: string; big?: boolean }) {
  return (
    <div class={`figure ${tone} ${big ? 'big' : ''}`}>
      <div class="figure-name">{name}</div>
      <div class="figure-value">{value}</div>
      <div class="figure-sub">{sub ?? '\u00a0'}</div>
    </div>
  );
}

export function Meter({ name, share, tone = '' }: { name: string; share: number; tone?: string }) {
  const held = Math.max(0, Math.min(1, share || 0));
  return (
    // biome-ignore lint/a11y/useSemanticElements: browsers do not let a meter element be drawn like this
    <div class={`meter ${tone || (held > 0.9 ? 'hot' : '')}`} role="meter" aria-label={name} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(held * 100)} aria-valuetext={percent(held)}>
      <span style={{ transform: `scaleX(${held})` }} />
    </div>
  );
}

export function VmState({ vm }: { vm: Vm }) {
  const word = vmWord(vm);
  return (
    <span class={`state vm-${word}`}>
      <i aria-hidden="true">{VM_SIGNS[word] ?? '·'}</i> {vm.migrationId ? 'moving' : word}
    </span>
  );
}

export function HostState({ host }: { host: Host }) {
  const word = hostWord(host);
  return <span class={`state host-${word}`}>{word === 'maintenance' && host.safeToPowerOff ? 'safe to power off' : word}</span>;
}

export const VmLink = ({ name }: { name: string }) => (name ? <Link to={vmPath(name)}>{name}</Link> : <span class="dim">–</span>);
export const HostLink = ({ name }: { name: string }) => (name ? <Link to={hostPath(name)}>{name}</Link> : <span class="dim">–</span>);

/** The same from a shell. */
export function CliLine({ line }: { line: string }) {
  const [copied, set] = useState(false);
  const copy = (): void => {
    void navigator.clipboard?.writeText(line).then(
      () => set(true),
      () => undefined,
    );
  };
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => set(false), 1_500);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <span class="cli">
      <code>{line}</code>
      <button type="button" class="cli-copy" onClick={copy} aria-label={`copy: ${line}`}>
        {copied ? 'copied' : 'copy'}
      </button>
    </span>
  );
}

/** A dialog: the browser holds the focus in it, Escape closes it. */
export function Dialog({ title, onClose, children }: { title: string; onClose: () => void; children: ComponentChildren }) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    element.current?.showModal();
    return () => before?.focus?.();
  }, []);
  return (
    <dialog ref={element} class="dialog" aria-labelledby="dialog-title" onClose={onClose}>
      <div class="dialog-body">
        <h2 id="dialog-title">{title}</h2>
        {children}
      </div>
    </dialog>
  );
}

export const Empty = ({ children }: { children: ComponentChildren }) => <p class="empty">{children}</p>;
