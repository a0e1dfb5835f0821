import { graph, line, pick, quantile, rate, stat } from './builders';
import type { Dashboard } from './dashboard';

const HERE = 'host=~"$host"';

export const HOST_DASHBOARD: Dashboard = {
  uid: 'godwit-host',
  title: 'Godwit / Host',
  help: 'One host or several: capacity, VMs, leases, datastores, agent.',
  variables: [{ name: 'host', label: 'Host', metric: 'godwit_host_cpus' }],
  sections: [
    {
      title: 'Now',
      panels: [
        stat('VMs', 'short', 'VM processes.', [line(`sum(${pick('godwit_host_vms', HERE)})`, '')]),
        stat('CPUs', 'short', 'CPUs for VMs.', [line(`sum(${pick('godwit_host_cpus', HERE)})`, '')]),
        stat('Memory', 'bytes', 'Memory of the hosts.', [line(`sum(${pick('godwit_host_memory_bytes', HERE)})`, '')]),
        stat('In maintenance', 'short', 'Hosts in maintenance.', [line(`sum(${pick('godwit_host_maintenance', HERE)})`, '')]),
        stat(
          'Without controller',
          'short',
          'Agents that have no session.',
          [line(`sum(1 - ${pick('godwit_agent_connected', HERE)})`, '')],
          { alarmFrom: 1 },
        ),
        stat('Silent VMs', 'short', 'Processes of VMs that do not answer.', [line(`sum(${pick('godwit_vm_silent', HERE)})`, '')], {
          alarmFrom: 1,
        }),
      ],
    },
    {
      title: 'Capacity',
      panels: [
        graph('CPU in use', 'percentunit', 'Of all CPUs, by whomever.', [line(pick('godwit_host_cpu_used_ratio', HERE), '{{host}}')]),
        graph(
          'CPU of VMs',
          'short',
          'CPUs that processes of VMs keep busy.',
          [line(`topk(10, ${rate('godwit_vm_process_cpu_seconds_total', 'vm', HERE)})`, '{{vm}}')],
          { stacked: true },
        ),
        graph('Memory available', 'bytes', 'What new VMs could have.', [
          line(pick('godwit_host_memory_available_bytes', HERE), '{{host}}'),
        ]),
        graph(
          'Memory of VMs',
          'bytes',
          'In use by processes of VMs.',
          [line(`topk(10, ${pick('godwit_vm_process_resident_memory_bytes', HERE)})`, '{{vm}}')],
          { stacked: true },
        ),
        graph('Pressure', 'percentunit', 'Share of time that some process waited.', [
          line(pick('godwit_host_pressure_ratio', HERE), '{{host}} {{resource}}'),
        ]),
        graph('Network', 'Bps', "Traffic of the host's interfaces.", [
          line(pick('godwit_host_network_bytes_per_second', HERE), '{{host}} {{direction}}'),
        ]),
        graph('VMs by state', 'short', 'Processes of VMs.', [line(`sum by (state) (${pick('godwit_host_vms', HERE)})`, '{{state}}')], {
          stacked: true,
        }),
        graph('VMs standing still', 'short', 'By reason.', [line(`sum by (reason) (${pick('godwit_vm_paused', HERE)})`, '{{reason}}')]),
      ],
    },
    {
      title: 'Datastores and leases',
      panels: [
        graph('Reachable', 'short', '1 while the datastore answers.', [
          line(pick('godwit_datastore_reachable', HERE), '{{host}} {{datastore}}'),
        ]),
        graph('Free', 'bytes', 'Room left.', [line(pick('godwit_datastore_free_bytes', HERE), '{{host}} {{datastore}}')]),
        graph(
          'Heartbeats of leases',
          's',
          '99 % were faster; beyond a second the next one is late.',
          [line(quantile(0.99, 'godwit_lease_renewal_seconds', 'host', HERE), '{{host}}')],
          { alarmFrom: 1 },
        ),
        graph(
          'Oldest lease',
          's',
          'At its length the VM is paused.',
          [line(`max by (host) (${pick('godwit_vm_lease_age_seconds', HERE)})`, '{{host}}')],
          { alarmFrom: 5 },
        ),
        graph('Heartbeats not taken', 'ops', 'By the datastore, in time.', [
          line(rate('godwit_vm_lease_renewal_failures_total', 'vm', HERE), '{{vm}}'),
        ]),
        graph('Leases lost', 'ops', "VMs found to be another host's.", [line(rate('godwit_vm_lease_losses_total', 'vm', HERE), '{{vm}}')]),
      ],
    },
    {
      title: 'Agent',
      panels: [
        graph('Orders', 'ops', 'By how they ended.', [line(rate('godwit_agent_orders_total', 'state', HERE), '{{state}}')]),
        graph('Sessions begun', 'ops', 'With a controller.', [line(rate('godwit_agent_sessions_total', 'host', HERE), '{{host}}')]),
        graph(
          'Event loop at work',
          'percentunit',
          'Near 1 the agent cannot keep up.',
          [line(rate('godwit_event_loop_seconds_total', 'host', `${HERE},state="active"`), '{{host}}')],
          { alarmFrom: 0.9 },
        ),
        graph('Series exported', 'short', "Most of them are VMs'.", [line(pick('godwit_metrics_series', HERE), '{{host}}')]),
      ],
    },
  ],
};
