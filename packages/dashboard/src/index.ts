import path from 'node:path';

/** The built pages: index.html and what it loads (`npm run build` in this package makes them from web/). */
export const webFolder = path.join(__dirname, 'web');
