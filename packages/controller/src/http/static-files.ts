/** The built pages, read once into memory, with their compressed form; names with a hash are kept by browsers for ever. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { HttpError, securityHeaders, send } from './answers';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.webmanifest': 'application/manifest+json',
};
/** In the page, in place of the nonce of one answer. */
const NONCE = '__NONCE__';

interface Kept {
  readonly body: Buffer;
  readonly gzip: Buffer | undefined;
  readonly type: string;
  readonly etag: string;
}

export class StaticFiles {
  private readonly files = new Map<string, Kept>();
  private readonly page: string | undefined;

  /** @param folder of the built pages; one that is not there is said to whoever asks for a page */
  constructor(private readonly folder: string) {
    if (!existsSync(path.join(folder, 'index.html'))) return;
    this.page = readFileSync(path.join(folder, 'index.html'), 'utf8');
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      const file = path.join(folder, name);
      const type = TYPES[path.extname(name)];
      if (!type || name === 'index.html' || !statSync(file).isFile()) continue;
      const body = readFileSync(file);
      const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
      this.files.set(`/${name}`, { body, gzip: body.length > 1_000 ? gzipSync(body) : undefined, type, etag });
    }
  }

  /** A file, or for every other path the page, which finds its way by itself. @throws HttpError */
  serve(request: IncomingMessage, response: ServerResponse, at: string, overTls: boolean): void {
    if (request.method !== 'GET' && request.method !== 'HEAD') throw new HttpError(405, 'invalid', 'pages are read with GET');
    const file = this.files.get(at);
    if (file) return this.file(request, response, at, file, overTls);
    if (at.startsWith('/assets/') || path.posix.extname(at) === '.js') throw new HttpError(404, 'invalid', `there is nothing at ${at}`);
    if (this.page === undefined) throw new HttpError(503, 'internal', `the dashboard is not built: npm run build makes it (${this.folder})`);
    const nonce = randomBytes(16).toString('base64url');
    send(response, 200, TYPES['.html'], this.page.replaceAll(NONCE, nonce), { ...securityHeaders(nonce, overTls), 'cache-control': 'no-cache' });
  }

  private file({ headers, method }: IncomingMessage, response: ServerResponse, at: string, { body, gzip, type, etag }: Kept, overTls: boolean): void {
    const keeping = at.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache';
    const shared = { ...securityHeaders(undefined, overTls), etag, vary: 'accept-encoding', 'cache-control': keeping };
    if (headers['if-none-match'] === etag) {
      response.writeHead(304, shared).end();
      return;
    }
    const packed = gzip && /\bgzip\b/.test(String(headers['accept-encoding'] ?? ''));
    const sent = packed ? gzip : body;
    response.writeHead(200, { ...shared, 'content-type': type, 'content-length': sent.length, ...(packed ? { 'content-encoding': 'gzip' } : {}) });
    response.end(method === 'HEAD' ? undefined : sent);
  }
}
