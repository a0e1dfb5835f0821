/** Where Prometheus finds agents: the body of its HTTP service discovery, for `/metrics/targets` of a controller. */
export interface AgentTarget {
  readonly hostName: string;
  /** HOST:PORT of the agent's metrics; empty: it serves none. */
  readonly metricsAddress: string;
}

/** Sorted, so that the same hosts give the same text. Content type: application/json. */
export function httpSdTargets(agents: readonly AgentTarget[]): string {
  const served = agents.filter(({ metricsAddress }) => metricsAddress !== '');
  const sorted = [...served].sort((a, b) => (a.hostName < b.hostName ? -1 : a.hostName > b.hostName ? 1 : 0));
  return JSON.stringify(sorted.map(({ hostName, metricsAddress }) => ({ targets: [metricsAddress], labels: { host: hostName } })));
}
