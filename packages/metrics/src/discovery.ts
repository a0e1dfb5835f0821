/** Where Prometheus finds agents: the body of its HTTP service discovery, for `/metrics/targets` of a controller. */
export interface AgentTarget {
  readonly hostName: string;
  /** http://HOST:PORT or https://HOST:PORT of the agent's metrics; empty: it serves none. */
  readonly metricsAddress: string;
}

const ADDRESS = /^(https?):\/\/(\S+:\d{1,5})$/;

/** Sorted, so that the same hosts give the same text. Content type: application/json. */
export function httpSdTargets(agents: readonly AgentTarget[]): string {
  const sorted = [...agents].sort((a, b) => (a.hostName < b.hostName ? -1 : a.hostName > b.hostName ? 1 : 0));
  const found = sorted.flatMap(({ hostName, metricsAddress }) => {
    const [, scheme, address] = ADDRESS.exec(metricsAddress) ?? [];
    // An agent's word: what is no address is no target.
    return address ? [{ targets: [address], labels: { host: hostName, __scheme__: scheme } }] : [];
  });
  return JSON.stringify(found);
}
