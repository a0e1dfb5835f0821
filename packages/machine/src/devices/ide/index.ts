export type { Drive } from './channel';
export { IdeController, type IdeOptions } from './ide-controller';
