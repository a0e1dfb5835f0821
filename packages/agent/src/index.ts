export { startAgent, type Agent, type AgentOptions } from './agent';
export { agentConfig, checkAgentConfig, parseAgentConfig, type AgentConfig, type AgentConfigInput, type NetworkConfig } from './config';
export { AgentError } from './errors';
