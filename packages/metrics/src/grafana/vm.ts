import { graph, line, pick, rate, stat } from './builders';
import type { Dashboard } from './dashboard';

const THIS = 'vm=~"$vm",host=~"$host"';

export const VM_DASHBOARD: Dashboard = {
  uid: 'godwit-vm',
  title: 'Godwit / VM and translation cache',
  help: 'One VM: where its time goes, its translation cache, faults, devices. A migration shows as a change of host.',
  variables: [
    { name: 'host', label: 'Host', metric: 'godwit_vm_info' },
    { name: 'vm', label: 'VM', metric: 'godwit_vm_info', where: 'host=~"$host"' },
  ],
  sections: [
    {
      title: 'Now',
      panels: [
        stat('Runs on', 'short', 'Where the guest runs.', [line(pick('godwit_vm_running', `${THIS}`), '{{vm}} on {{host}}')]),
        stat('Guest time', 's', 'Since power-on, pauses left out.', [line(pick('godwit_vm_guest_time_seconds', THIS), '{{vm}}')]),
        stat('Memory', 'bytes', 'Guest memory.', [line(pick('godwit_vm_memory_bytes', THIS), '{{vm}}')]),
        stat('Code cache', 'percentunit', 'A full one is dropped as a whole.', [
          line(`${pick('godwit_vm_code_cache_bytes', THIS)} / ${pick('godwit_vm_code_cache_limit_bytes', THIS)}`, '{{vm}}'),
        ]),
        stat('Started in', 's', "From the process's start to the first guest instruction.", [
          line(pick('godwit_vm_start_seconds', THIS), '{{vm}}'),
        ]),
        stat(
          'Age of counters',
          's',
          'All else is as of then.',
          [line(`time() - ${pick('godwit_vm_counters_timestamp_seconds', THIS)}`, '{{vm}}')],
          { alarmFrom: 60 },
        ),
      ],
    },
    {
      title: 'Where the time goes',
      panels: [
        graph(
          'vCPU by mode',
          'percentunit',
          'Share of time.',
          [line(rate('godwit_vm_vcpu_seconds_total', 'vm, mode', THIS), '{{vm}} {{mode}}')],
          { stacked: true },
        ),
        graph(
          'Standing still',
          'percentunit',
          'Share of time paused, by reason.',
          [line(rate('godwit_vm_paused_seconds_total', 'vm, reason', THIS), '{{vm}} {{reason}}')],
          { stacked: true },
        ),
        graph(
          'CPU of the process',
          'short',
          'CPUs that it keeps busy, all threads.',
          [line(rate('godwit_vm_process_cpu_seconds_total', 'vm, mode', THIS), '{{vm}} {{mode}}')],
          { stacked: true },
        ),
        graph('Exits from translated code', 'ops', 'Each costs about a microsecond and what it is for.', [
          line(rate('godwit_vm_exits_total', 'vm, kind', THIS), '{{vm}} {{kind}}'),
        ]),
        graph('Callouts', 'ops', 'Served natively; translated code goes on.', [
          line(rate('godwit_vm_callouts_total', 'vm, kind', THIS), '{{vm}} {{kind}}'),
        ]),
        graph('Interrupts and faults delivered', 'ops', "Through the guest's IDT.", [
          line(rate('godwit_vm_interrupts_total', 'vm, kind', THIS), '{{vm}} {{kind}}'),
        ]),
        graph('Interpreted instructions', 'ops', 'What is not translated.', [
          line(rate('godwit_vm_interpreted_instructions_total', 'vm', THIS), '{{vm}}'),
        ]),
        graph('Kicks and entries', 'ops', 'Stops from outside; entries into translated code.', [
          line(rate('godwit_vm_kicks_total', 'vm', THIS), '{{vm}} kicks'),
          line(rate('godwit_vm_entries_total', 'vm', THIS), '{{vm}} entries'),
        ]),
      ],
    },
    {
      title: 'Translation cache',
      panels: [
        graph('Held', 'bytes', 'Host code in the cache, and its size.', [
          line(pick('godwit_vm_code_cache_bytes', THIS), '{{vm}}'),
          line(pick('godwit_vm_code_cache_limit_bytes', THIS), '{{vm}} limit'),
        ]),
        graph('Blocks held', 'short', 'In the cache.', [line(pick('godwit_vm_code_cache_blocks', THIS), '{{vm}}')]),
        graph('Blocks translated', 'ops', 'On demand. After a boot this falls to nearly nothing.', [
          line(rate('godwit_vm_translated_blocks_total', 'vm', THIS), '{{vm}}'),
        ]),
        graph('Code translated', 'Bps', 'Guest code, and the host code made of it.', [
          line(rate('godwit_vm_translated_bytes_total', 'vm, code', THIS), '{{vm}} {{code}}'),
        ]),
        graph('Cache dropped', 'ops', 'As a whole, because it was full: at more than once in minutes it thrashes.', [
          line(rate('godwit_vm_code_cache_flushes_total', 'vm', THIS), '{{vm}}'),
        ]),
        graph('Blocks dropped', 'ops', 'With a full cache, or because the guest wrote to their page.', [
          line(rate('godwit_vm_code_cache_dropped_blocks_total', 'vm, reason', THIS), '{{vm}} {{reason}}'),
        ]),
        graph('Writes to code', 'ops', 'Pages that blocks came from.', [
          line(rate('godwit_vm_code_invalidations_total', 'vm', THIS), '{{vm}}'),
        ]),
        graph('Look-ups missed', 'ops', "Jumps that the window's block table did not know.", [
          line(rate('godwit_vm_code_lookup_misses_total', 'vm', THIS), '{{vm}}'),
        ]),
        graph('Warm blocks', 'ops', 'Translated ahead for a VM that arrives.', [
          line(rate('godwit_vm_warm_blocks_total', 'vm, event', THIS), '{{vm}} {{event}}'),
        ]),
        graph('Instructions per block', 'short', 'Of blocks translated on demand.', [
          line(
            `${rate('godwit_vm_translated_instructions_total', 'vm', THIS)} / ${rate('godwit_vm_translated_blocks_total', 'vm', THIS)}`,
            '{{vm}}',
          ),
        ]),
      ],
    },
    {
      title: 'Memory: windows and software TLB',
      panels: [
        graph('Faults', 'ops', 'Host faults in translated code, by what they were.', [
          line(rate('godwit_vm_faults_total', 'vm, kind', THIS), '{{vm}} {{kind}}'),
        ]),
        graph('Pages shown', 'ops', 'In windows, on demand and ahead.', [
          line(rate('godwit_vm_window_maps_total', 'vm, kind', THIS), '{{vm}} {{kind}}'),
          line(rate('godwit_vm_window_large_maps_total', 'vm', THIS), '{{vm}} large'),
        ]),
        graph('Pages taken out', 'ops', 'Of windows, one by one.', [
          line(rate('godwit_vm_window_unmapped_pages_total', 'vm', THIS), '{{vm}}'),
        ]),
        graph('Windows emptied', 'ops', 'For want of mappings, or altogether.', [
          line(rate('godwit_vm_window_evictions_total', 'vm', THIS), '{{vm}} evicted'),
          line(rate('godwit_vm_window_flushes_total', 'vm', THIS), '{{vm}} flushed'),
        ]),
        graph('Changes of protection', 'ops', 'Calls of mprotect.', [
          line(rate('godwit_vm_window_protections_total', 'vm', THIS), '{{vm}}'),
        ]),
        graph('Software TLB', 'ops', 'Misses, and instructions moved to it and back.', [
          line(rate('godwit_vm_soft_tlb_misses_total', 'vm', THIS), '{{vm}} misses'),
          line(rate('godwit_vm_soft_tlb_sites_total', 'vm, event', THIS), '{{vm}} {{event}}'),
        ]),
      ],
    },
    {
      title: 'Disks, network, lease',
      panels: [
        graph('Disk throughput', 'Bps', 'As the guest sees it.', [
          line(rate('godwit_vm_disk_bytes_total', 'vm, disk, direction', THIS), '{{vm}} disk {{disk}} {{direction}}'),
        ]),
        graph('Disk requests', 'ops', 'That have ended.', [
          line(rate('godwit_vm_disk_requests_total', 'vm, disk, kind', THIS), '{{vm}} disk {{disk}} {{kind}}'),
        ]),
        graph('Disk latency', 's', 'Mean.', [
          line(
            `${rate('godwit_vm_disk_request_seconds_total', 'vm, disk, kind', THIS)} / ${rate('godwit_vm_disk_requests_total', 'vm, disk, kind', THIS)}`,
            '{{vm}} disk {{disk}} {{kind}}',
          ),
        ]),
        graph(
          'Disk trouble',
          'short',
          'Requests held for the datastore; failed ones a second.',
          [
            line(pick('godwit_vm_disk_held_requests', THIS), '{{vm}} disk {{disk}} held'),
            line(rate('godwit_vm_disk_errors_total', 'vm, disk', THIS), '{{vm}} disk {{disk}} failed'),
          ],
          { alarmFrom: 1 },
        ),
        graph('Network throughput', 'Bps', 'Frames to and from the guest.', [
          line(rate('godwit_vm_network_bytes_total', 'vm, nic, direction', THIS), '{{vm}} adapter {{nic}} {{direction}}'),
        ]),
        graph('Frames', 'ops', 'To and from the guest.', [
          line(rate('godwit_vm_network_frames_total', 'vm, nic, direction', THIS), '{{vm}} adapter {{nic}} {{direction}}'),
        ]),
        graph('Frames dropped', 'ops', 'For want of room, or refused.', [
          line(rate('godwit_vm_network_dropped_frames_total', 'vm, nic, direction', THIS), '{{vm}} adapter {{nic}} {{direction}}'),
        ]),
        graph(
          'Lease',
          's',
          'Time since the heartbeat that it rests on.',
          [line(pick('godwit_vm_lease_age_seconds', THIS), '{{vm}} on {{host}}')],
          { alarmFrom: 5 },
        ),
      ],
    },
  ],
};
