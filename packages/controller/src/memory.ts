/** Opens the store that the configuration names. */
import { type Memory, openEmbedded, openNats } from '@godwit/store';
import type { ControllerConfig } from './config';

export const openMemory = ({ store }: ControllerConfig): Promise<Memory> =>
  store.kind === 'embedded'
    ? openEmbedded({ file: store.file })
    : openNats({ servers: store.servers, name: store.name, replicas: store.replicas });
