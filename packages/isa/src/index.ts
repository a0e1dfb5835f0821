export * from './instruction';
