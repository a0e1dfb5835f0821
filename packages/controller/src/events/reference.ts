/** docs/events.md, made from the table of kinds. */
import { EVENT_KINDS } from '../core/event-kinds';

const HEAD = `# Events

<!-- Made from packages/controller/src/core/event-kinds.ts by packages/controller/bin/write-reference.mjs. Do not edit. -->

The timeline: what happened, to what, why, by whom. \`godwit events\` shows it, \`godwit events --watch\` as it goes on, the dashboard on each page.

Each event names what it is about (VM, host, migration, operation) by id and name, who asked (\`actor\`: a user, or \`controller\`) and what it follows from (\`cause\`): \`operator\` somebody asked for it, \`drain\`, \`balance\` and \`restart\` it is a part of such an operation, \`policy\` a rule of the cluster, \`report\` a host said so. [observability.md](observability.md) tells how events, logs, traces and metrics belong together.

| kind | severity | what it tells |
| --- | --- | --- |
`;

export const eventsReference = (): string =>
  HEAD +
  Object.entries(EVENT_KINDS)
    .map(([kind, { severity, doc }]) => `| \`${kind}\` | ${severity} | ${doc} |\n`)
    .join('');
