import { graph, heatmap, line, pick, quantile, quantiles, rate, stat } from './builders';
import type { Dashboard } from './dashboard';

const FROM = 'host=~"$host"';
const THIS = 'vm=~"$vm",host=~"$host"';
const HOUR = '[1h]';

export const MIGRATION: Dashboard = {
  uid: 'godwit-migration',
  title: 'Godwit / Migration',
  help: 'Live migrations: those under way round by round, pauses by part, what was sent, how they ended. Hosts are sources.',
  variables: [
    { name: 'host', label: 'Source', metric: 'godwit_migrations_total' },
    { name: 'vm', label: 'VM', metric: 'godwit_vm_info', where: 'host=~"$host"' },
  ],
  sections: [
    {
      title: 'Now',
      panels: [
        stat('Under way', 'short', 'From these hosts.', [line(`sum(${pick('godwit_migrations_active', `${FROM},direction="out"`)})`, '')]),
        stat('Queued', 'short', 'They wait for their turn.', [
          line(`sum(${pick('godwit_cluster_migrations_active', 'stage="queued"')})`, ''),
        ]),
        stat('Completed, 1 h', 'short', 'VMs moved.', [
          line(`sum(increase(${pick('godwit_migrations_total', `${FROM},outcome="completed"`)}${HOUR}))`, ''),
        ]),
        stat(
          'Failed, 1 h',
          'short',
          'Failed or lost.',
          [line(`sum(increase(${pick('godwit_migrations_total', `${FROM},outcome=~"failed|lost"`)}${HOUR}))`, '')],
          { alarmFrom: 1 },
        ),
        stat(
          'Over budget, 1 h',
          'short',
          'Pauses longer than asked for.',
          [line(`sum(increase(${pick('godwit_migration_pauses_over_budget_total', FROM)}${HOUR}))`, '')],
          { alarmFrom: 1 },
        ),
        stat(
          'Pause, 99 %, 1 h',
          's',
          'Of completed migrations.',
          [line(`histogram_quantile(0.99, sum by (le) (rate(godwit_migration_pause_seconds_bucket{${FROM}}${HOUR})))`, '')],
          { alarmFrom: 0.1 },
        ),
      ],
    },
    {
      title: 'Under way',
      panels: [
        graph('Remaining', 'bytes', 'Memory that the target lacks.', [line(pick('godwit_vm_migration_remaining_bytes', THIS), '{{vm}}')]),
        graph('Dirty rate against transfer rate', 'Bps', 'Where the dirty rate is the higher one, rounds do not shrink.', [
          line(pick('godwit_vm_migration_dirty_bytes_per_second', THIS), '{{vm}} dirty'),
          line(pick('godwit_vm_migration_transfer_bytes_per_second', THIS), '{{vm}} transfer'),
        ]),
        graph('Expected pause', 's', 'If it were switched over now.', [
          line(pick('godwit_vm_migration_expected_pause_seconds', THIS), '{{vm}}'),
        ]),
        graph('Round and throttle', 'short', 'Rounds so far; share of time that the vCPU rests.', [
          line(pick('godwit_vm_migration_round', THIS), '{{vm}} round'),
          line(pick('godwit_vm_migration_throttle_ratio', THIS), '{{vm}} throttle'),
        ]),
      ],
    },
    {
      title: 'Pause',
      panels: [
        heatmap('Pauses', 's', 'Each completed migration.', [
          line(`sum by (le) (increase(godwit_migration_pause_seconds_bucket{${FROM}}[$__rate_interval]))`, '{{le}}'),
        ]),
        graph('Pause', 's', 'Quantiles.', quantiles('godwit_migration_pause_seconds', FROM)),
        graph(
          'Pause by part',
          's',
          'Mean of each part.',
          [
            line(
              `sum by (part) (rate(godwit_migration_pause_part_seconds_sum{${FROM}}[$__rate_interval])) / sum by (part) (rate(godwit_migration_pause_part_seconds_count{${FROM}}[$__rate_interval]))`,
              '{{part}}',
            ),
          ],
          { stacked: true },
        ),
        graph('Parts, 99 %', 's', 'What to look at first when pauses are long.', [
          line(quantile(0.99, 'godwit_migration_pause_part_seconds', 'part', FROM), '{{part}}'),
        ]),
        graph('Pauses taken back, rounds stalled', 'ops', 'The guest writes faster than the network carries.', [
          line(rate('godwit_migration_pause_retreats_total', 'host', FROM), '{{host}} taken back'),
          line(rate('godwit_migration_stalls_total', 'host', FROM), '{{host}} stalled'),
        ]),
      ],
    },
    {
      title: 'Sent',
      panels: [
        graph('Bytes', 'Bps', 'By what they were.', [line(rate('godwit_migration_bytes_total', 'kind', FROM), '{{kind}}')], {
          stacked: true,
        }),
        graph(
          'Pages',
          'ops',
          'By how they were sent, or why not.',
          [line(rate('godwit_migration_pages_total', 'kind', FROM), '{{kind}}')],
          { stacked: true },
        ),
      ],
    },
    {
      title: 'Ends',
      panels: [
        graph('Outcomes', 'ops', 'As the sources saw them.', [line(rate('godwit_migrations_total', 'outcome', FROM), '{{outcome}}')], {
          stacked: true,
        }),
        graph(
          'Outcomes by cause',
          'ops',
          'As the controller saw them; also those that no host could take.',
          [line(rate('godwit_cluster_migrations_total', 'cause, outcome'), '{{cause}} {{outcome}}')],
          { stacked: true },
        ),
        graph('Total time', 's', 'Of completed migrations.', quantiles('godwit_migration_duration_seconds', `${FROM},outcome="completed"`)),
        graph('Rounds', 'short', 'Of completed migrations.', quantiles('godwit_migration_rounds', FROM)),
      ],
    },
  ],
};
