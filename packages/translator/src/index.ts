export * from './translator';
export { Mode } from './context';
