export { Interpreter, StepResult } from './interpreter';
export type { InterpreterPorts } from './core';
export { hasHandler } from './operations';
