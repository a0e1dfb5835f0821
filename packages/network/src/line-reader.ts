/** Cuts a byte stream into lines. A line longer than the limit ends it: `feed` then returns false. */
import { StringDecoder } from 'node:string_decoder';

export class LineReader {
  private readonly decoder = new StringDecoder('utf8');
  private held = '';

  constructor(private readonly maxCharacters: number) {}

  feed(chunk: Buffer, take: (line: string) => void): boolean {
    this.held += this.decoder.write(chunk);
    const lines = this.held.split('\n');
    this.held = lines.pop() as string;
    for (const line of lines) {
      if (line.length > this.maxCharacters) return false;
      if (line.trim() !== '') take(line);
    }
    return this.held.length <= this.maxCharacters;
  }
}
