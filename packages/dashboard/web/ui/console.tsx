/** A VM's serial console: xterm over a WebSocket; it goes on when the VM moves, and when the connection comes back. */
import { FitAddon } from '@xterm/addon-fit';
import { Terminal } from '@xterm/xterm';
import '@xterm/xterm/css/xterm.css';
import { useEffect, useRef, useState } from 'preact/hooks';

const RETRY_MS = 2_000;
/** The VM's end of it has ended, not the connection. */
const ENDED = 1_000;
const MAX_PASTE = 32 * 1024;

/** xterm makes style elements of its own; the page's policy takes those that have its nonce. */
const { nonce } = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]') ?? { nonce: '' };
const createElement = document.createElement.bind(document) as (tag: string, options?: ElementCreationOptions) => HTMLElement;
document.createElement = ((tag: string, options?: ElementCreationOptions) => {
  const element = createElement(tag, options);
  if (tag === 'style') element.nonce = nonce;
  return element;
}) as typeof document.createElement;

export default function Console({ vm }: { vm: string }) {
  const box = useRef<HTMLDivElement>(null);
  const [says, say] = useState('connecting…');
  useEffect(() => {
    const terminal = new Terminal({
      convertEol: false,
      cursorBlink: false,
      fontSize: 13,
      fontFamily: 'ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", "Liberation Mono", monospace',
      scrollback: 5_000,
      screenReaderMode: true,
      theme: { background: '#0b0e13', foreground: '#d6dae1', cursor: '#e88c6b', selectionBackground: '#35506e' },
    });
    const fit = new FitAddon();
    terminal.loadAddon(fit);
    terminal.open(box.current!);
    // Tab belongs to the guest while one types; Ctrl+] leaves, as in `godwit vm console`.
    terminal.attachCustomKeyEventHandler((event) => {
      if (event.ctrlKey && event.key === ']') {
        if (event.type === 'keydown') (document.querySelector<HTMLElement>('[data-leave-console]') ?? document.body).focus();
        return false;
      }
      return true;
    });
    fit.fit();
    const sized = new ResizeObserver(() => fit.fit());
    sized.observe(box.current!);
    let socket: WebSocket | undefined;
    let over = false;
    let timer: number | undefined;
    const connect = (): void => {
      socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/api/console/${encodeURIComponent(vm)}`);
      socket.binaryType = 'arraybuffer';
      let told = '';
      socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
        if (typeof data !== 'string') return terminal.write(new Uint8Array(data));
        const said = JSON.parse(data) as { open?: boolean; note?: string; error?: { line: string } };
        if (said.open) say('connected');
        if (said.note) {
          say(said.note);
          terminal.write(`\r\n\x1b[2m── ${said.note} ──\x1b[0m\r\n`);
        }
        if (said.error) say((told = said.error.line));
      };
      socket.onclose = ({ code }) => {
        if (over) return;
        say(told || 'no connection: trying again');
        timer = window.setTimeout(connect, code === ENDED ? RETRY_MS / 10 : RETRY_MS);
      };
    };
    connect();
    const encoder = new TextEncoder();
    const send = (bytes: Uint8Array): void => {
      if (socket?.readyState !== WebSocket.OPEN) return;
      for (let at = 0; at < bytes.length; at += MAX_PASTE) socket.send(bytes.slice(at, at + MAX_PASTE));
    };
    terminal.onData((text) => send(encoder.encode(text)));
    terminal.onBinary((text) => send(Uint8Array.from(text, (character) => character.charCodeAt(0))));
    return () => {
      over = true;
      clearTimeout(timer);
      socket?.close();
      sized.disconnect();
      terminal.dispose();
    };
  }, [vm]);
  return (
    <div class="console">
      <div class="console-head">
        <span role="status">{says}</span>
        <span class="dim">
          <kbd>Ctrl</kbd>+<kbd>]</kbd> leaves the terminal
        </span>
      </div>
      <div ref={box} class="console-box" />
    </div>
  );
}
