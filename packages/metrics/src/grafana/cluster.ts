import { graph, line, pick, quantile, quantiles, rate, stat, table } from './builders';
import type { Dashboard } from './dashboard';

export const CLUSTER: Dashboard = {
  uid: 'godwit-cluster',
  title: 'Godwit / Cluster',
  help: 'Hosts, VMs, controllers and their store at a glance.',
  variables: [],
  sections: [
    {
      title: 'Now',
      panels: [
        stat('Leader', 'short', 'Controllers that lead: 1, or 0 during an election.', [
          line(`sum(${pick('godwit_controller_leader')})`, ''),
        ]),
        stat('Hosts ready', 'short', 'Hosts that take VMs.', [line(`sum(${pick('godwit_hosts', 'state="ready"')})`, '')]),
        stat(
          'Hosts silent',
          'short',
          'Hosts not heard of; their VMs may well run.',
          [line(`sum(${pick('godwit_hosts', 'state=~"unreachable|dead"')})`, '')],
          { alarmFrom: 1 },
        ),
        stat('VMs running', 'short', 'VMs that run.', [line(`sum(${pick('godwit_vms', 'state="running"')})`, '')]),
        stat(
          'VMs not as wanted',
          'short',
          'VMs that are to run and do not.',
          [line(`sum(${pick('godwit_vms', 'wanted="running",state=~"stopped|unknown"')})`, '')],
          { alarmFrom: 1 },
        ),
        stat('Migrations', 'short', 'Migrations under way.', [line(`sum(${pick('godwit_cluster_migrations_active')})`, '')]),
      ],
    },
    {
      title: 'Hosts and VMs',
      panels: [
        graph(
          'VMs by state',
          'short',
          'As their hosts last reported them.',
          [line(`sum by (state) (${pick('godwit_vms')})`, '{{state}}')],
          { stacked: true },
        ),
        graph(
          'Hosts by state',
          'short',
          'As the leading controller sees them.',
          [line(`sum by (state) (${pick('godwit_hosts')})`, '{{state}}')],
          { stacked: true },
        ),
        graph('CPU in use', 'percentunit', 'Share of all CPUs of each host.', [
          line(`max by (host) (${pick('godwit_host_cpu_used_ratio')})`, '{{host}}'),
        ]),
        graph('Memory in use', 'percentunit', "Share of each host's memory.", [
          line(
            `1 - max by (host) (${pick('godwit_host_memory_available_bytes')}) / max by (host) (${pick('godwit_host_memory_bytes')})`,
            '{{host}}',
          ),
        ]),
        graph(
          'Datastores',
          'percentunit',
          'Share of each datastore in use.',
          [
            line(
              `1 - min by (datastore) (${pick('godwit_datastore_free_bytes')}) / max by (datastore) (${pick('godwit_datastore_size_bytes')})`,
              '{{datastore}}',
            ),
          ],
          { alarmFrom: 0.9 },
        ),
        graph('VMs standing still', 'short', 'VMs paused, by reason; a migration pauses a VM for milliseconds only.', [
          line(`sum by (reason) (${pick('godwit_vm_paused')})`, '{{reason}}'),
        ]),
        table('Versions', 'short', 'What runs where.', [line(`count by (process, version) (${pick('godwit_build_info')})`, '')]),
      ],
    },
    {
      title: 'Operations and scheduler',
      panels: [
        graph('Operations ended', 'ops', 'By outcome.', [line(rate('godwit_operations_total', 'outcome'), '{{outcome}}')], {
          stacked: true,
        }),
        graph('Operations under way', 'short', 'By kind.', [line(`sum by (kind) (${pick('godwit_operations_active')})`, '{{kind}}')], {
          stacked: true,
        }),
        graph('Placements', 'ops', 'Questions where a VM may go.', [
          line(rate('godwit_scheduler_placements_total', 'outcome'), '{{outcome}}'),
        ]),
        graph(
          'Why hosts were refused',
          'ops',
          'When no host was found.',
          [line(`topk(8, ${rate('godwit_scheduler_refusals_total', 'reason')})`, '{{reason}}')],
          { stacked: true },
        ),
        graph('Decision time', 's', '99 % of decisions were faster.', [
          line(quantile(0.99, 'godwit_scheduler_decision_seconds', 'question'), '{{question}}'),
        ]),
        graph('Events', 'ops', 'Written to the timeline.', [line(rate('godwit_events_total', 'severity'), '{{severity}}')]),
      ],
    },
    {
      title: 'API and agents',
      panels: [
        graph('API calls', 'ops', 'By status.', [line(rate('godwit_api_requests_total', 'code'), '{{code}}')], { stacked: true }),
        graph('API latency', 's', 'Of calls that answer once.', quantiles('godwit_api_request_seconds')),
        graph('Open streams', 'short', 'Watches and consoles.', [line(`sum by (method) (${pick('godwit_api_streams')})`, '{{method}}')]),
        graph('Agents connected', 'short', 'Sessions at each controller.', [line(pick('godwit_agent_sessions'), '{{instance}}')]),
        graph('Messages from agents', 'ops', 'By kind.', [line(rate('godwit_agent_messages_total', 'kind'), '{{kind}}')], {
          stacked: true,
        }),
        graph('Sessions ended', 'ops', 'By reason.', [line(rate('godwit_agent_session_ends_total', 'reason'), '{{reason}}')]),
        graph('Orders without an answer', 'short', 'Sent to agents, or about to be.', [
          line(`sum(${pick('godwit_orders_pending')})`, 'orders'),
        ]),
        graph('VMs restarted', 'ops', 'After the death of their host, or a crash.', [
          line(rate('godwit_vm_restarts_total', 'job'), 'restarts'),
        ]),
      ],
    },
    {
      title: 'Store and controllers',
      panels: [
        graph('Store operations', 'ops', 'By operation.', [line(rate('godwit_store_operations_total', 'operation'), '{{operation}}')], {
          stacked: true,
        }),
        graph('Store operations that failed', 'ops', 'By outcome; a conflict is nothing bad.', [
          line(rate('godwit_store_operations_total', 'outcome', 'outcome!="ok"'), '{{outcome}}'),
        ]),
        graph('Store latency', 's', '99 % were faster.', [
          line(quantile(0.99, 'godwit_store_operation_seconds', 'operation'), '{{operation}}'),
        ]),
        graph('Store size', 'bytes', 'Keys and values, and the limit.', [
          line(`max(${pick('godwit_store_bytes')})`, 'in use'),
          line(`max(${pick('godwit_store_limit_bytes')})`, 'limit'),
        ]),
        graph('Term', 'short', 'Each new leader begins a new one.', [line(pick('godwit_controller_term'), '{{instance}}')]),
        graph(
          'Event loop at work',
          'percentunit',
          'Near 1 the process cannot keep up.',
          [line(rate('godwit_event_loop_seconds_total', 'instance', 'state="active"'), '{{instance}}')],
          { alarmFrom: 0.9 },
        ),
        graph('Memory of the processes', 'bytes', 'Of agents and controllers.', [
          line(pick('process_resident_memory_bytes', 'job=~"godwit.*"'), '{{instance}}'),
        ]),
        graph('Certificates', 's', 'Time left.', [
          line(
            `min by (instance, certificate) (${pick('godwit_certificate_expiry_timestamp_seconds')}) - time()`,
            '{{instance}} {{certificate}}',
          ),
        ]),
      ],
    },
  ],
};
