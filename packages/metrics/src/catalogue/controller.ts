/** What a controller tells of the cluster and of itself. What only a leader knows has no series at the others. */
import { controllerCounter, controllerGauge, controllerHistogram } from './row';
import {
  AGENT_MESSAGES,
  CAUSES,
  GRPC_CODES,
  HOST_STATES,
  OPERATION_KINDS,
  OPERATION_OUTCOMES,
  REFUSAL_REASONS,
  STORE_OPERATIONS,
  STORE_OUTCOMES,
  VM_STATES,
  WANTED_STATES,
} from './values';

const LATENCY_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15];

export const CONTROLLER = {
  godwit_controller_leader: controllerGauge({ help: '1 while this controller leads.' }),
  godwit_controller_term: controllerGauge({ help: 'Latest term that this controller knows of; each leader begins a new one.' }),
  godwit_controller_elections_total: controllerCounter({
    labels: { event: ['elected', 'deposed'] },
    help: 'Times that this controller became the leader, and ceased to be it.',
  }),

  godwit_hosts: controllerGauge({ labels: { state: HOST_STATES }, help: 'Hosts of the cluster by state.' }),
  godwit_host_reachable: controllerGauge({
    labels: { host: null },
    help: "1 while the host's agent is connected; at 0 its VMs may well run.",
  }),
  godwit_host_heard_timestamp_seconds: controllerGauge({
    unit: 'timestamp_seconds',
    labels: { host: null },
    help: 'When the host was last heard of.',
  }),
  godwit_host_certificate_expiry_timestamp_seconds: controllerGauge({
    unit: 'timestamp_seconds',
    labels: { host: null },
    help: 'When the certificate ends that the host was last given.',
  }),
  godwit_vms: controllerGauge({
    labels: { state: VM_STATES, wanted: WANTED_STATES },
    help: 'VMs of the cluster by the state they are in and the one they are wanted in.',
  }),
  godwit_vm_restarts_total: controllerCounter({
    help: 'VMs started anew elsewhere because their host died, or on their host because they crashed.',
  }),

  godwit_agent_sessions: controllerGauge({ help: 'Agents connected.' }),
  godwit_agent_session_ends_total: controllerCounter({
    labels: { reason: ['closed', 'silent', 'replaced', 'not_leader', 'protocol', 'other'] },
    help: 'Sessions of agents that ended: closed by the agent, silent for too long, replaced by a newer one, sent to the leader, unfit in protocol.',
  }),
  godwit_agent_messages_total: controllerCounter({ labels: { kind: AGENT_MESSAGES }, help: 'Messages from agents.' }),
  godwit_orders_pending: controllerGauge({ help: 'Orders to agents without a result yet.' }),

  godwit_cluster_migrations_active: controllerGauge({
    labels: { stage: ['queued', 'preparing', 'sending', 'settling'] },
    help: 'Migrations that the controller has begun and that have not ended.',
  }),
  godwit_cluster_migrations_total: controllerCounter({
    labels: { outcome: ['completed', 'cancelled', 'failed', 'lost', 'unknown'], cause: CAUSES },
    help: 'Migrations that the controller began, by their end and by what they were for; also those that no host could take.',
  }),
  godwit_operations_active: controllerGauge({ labels: { kind: OPERATION_KINDS }, help: 'Operations under way.' }),
  godwit_operations_total: controllerCounter({
    labels: { kind: OPERATION_KINDS, outcome: OPERATION_OUTCOMES },
    help: 'Operations that have ended.',
  }),
  godwit_events_total: controllerCounter({ labels: { severity: ['info', 'warning', 'error'] }, help: 'Events written to the timeline.' }),

  godwit_scheduler_decision_seconds: controllerHistogram({
    unit: 'seconds',
    labels: { question: ['place', 'drain', 'balance'] },
    help: 'Time that the scheduler took to decide where one VM goes, or to plan a drain or a balance.',
    buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
  }),
  godwit_scheduler_placements_total: controllerCounter({
    labels: { outcome: ['placed', 'refused'] },
    help: 'Questions where a VM may go, by whether a host was found.',
  }),
  godwit_scheduler_refusals_total: controllerCounter({
    labels: { reason: REFUSAL_REASONS },
    help: 'What stood against hosts when no host was found; each reason once a question.',
  }),

  godwit_api_requests_total: controllerCounter({
    labels: { method: null, code: GRPC_CODES },
    help: 'Calls of the API that have ended, by method and gRPC status.',
  }),
  godwit_api_request_seconds: controllerHistogram({
    unit: 'seconds',
    labels: { method: null },
    help: "Time from a call's arrival to its answer; streams are not in it.",
    buckets: LATENCY_BUCKETS,
  }),
  godwit_api_streams: controllerGauge({ labels: { method: null }, help: 'Streams of the API that are open.' }),

  godwit_store_operations_total: controllerCounter({
    labels: { operation: STORE_OPERATIONS, outcome: STORE_OUTCOMES },
    help: 'Operations on the store by their outcome.',
  }),
  godwit_store_operation_seconds: controllerHistogram({
    unit: 'seconds',
    labels: { operation: STORE_OPERATIONS },
    help: 'Time that operations on the store took.',
    buckets: LATENCY_BUCKETS,
  }),
  godwit_store_bytes: controllerGauge({ unit: 'bytes', help: 'Keys and values in the store.' }),
  godwit_store_limit_bytes: controllerGauge({ unit: 'bytes', help: 'Most that the store takes; writes beyond are refused.' }),
} as const;
