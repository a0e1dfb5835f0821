/** A scrape, for any HTTP server: from the Accept header to content type and body. */
import { CONTENT_TYPES, type Format } from './exposition';
import { MAX_ACCEPT } from './limits';
import type { AnyRegistry } from './registry';

export interface Scrape {
  readonly contentType: string;
  readonly body: string;
}

export async function serveMetrics(registry: AnyRegistry, accept?: string): Promise<Scrape> {
  const format = formatFor(accept);
  return { contentType: CONTENT_TYPES[format], body: await registry.text(format) };
}

/** OpenMetrics for whoever asks for a version of it that we speak and prefers nothing else; the text format for all others. */
export function formatFor(accept = ''): Format {
  let best = { format: 'prometheus' as Format, q: 0 };
  for (const range of accept.slice(0, MAX_ACCEPT).toLowerCase().split(',')) {
    const [type, ...parameters] = range.split(';').map((part) => part.trim());
    const given = Object.fromEntries(parameters.map((one) => one.split('=').map((part) => part.trim().replace(/^"|"$/g, ''))));
    const q = given.q === undefined ? 1 : Number(given.q);
    const format =
      type === 'application/openmetrics-text' && ['1.0.0', undefined].includes(given.version)
        ? 'openmetrics'
        : ['text/plain', 'text/*', '*/*'].includes(type)
          ? 'prometheus'
          : undefined;
    if (format && q > best.q) best = { format, q };
  }
  return best.format;
}
