/** `godwit rule …`, `godwit group …`: where VMs may be. */
import { exitCodes } from '../../errors';
import type { Command } from '../core/command';
import { LIST, OUTPUT } from '../core/shared-options';
import { GROUP_KIND, RULE_KIND } from '../views/cluster';
import { changeOnce, remote } from './shared';

const KINDS = ['together', 'apart', 'on', 'off'] as const;

const ruleLs: Command = {
  path: ['rule', 'ls'],
  summary: 'lists placement rules',
  examples: [['rule ls', 'which VMs belong together, apart, on or off a group of hosts']],
  options: LIST,
  run: async ({ output, session }) => {
    const { rules } = await session().ask((client, options) => client('Cluster').listRules({}, options));
    output.list(RULE_KIND, rules, 'there are no placement rules: godwit rule add NAME --kind apart --label team=db makes one');
    return exitCodes.ok;
  },
};

const ruleAdd: Command = {
  path: ['rule', 'add'],
  summary: 'makes a placement rule, or replaces the one of that name',
  about: [
    'Kinds: together (on one host), apart (each on another), on (on the hosts of a group), off (not there). A rule moves nothing: it holds for what is placed from now on, and the answer names VMs that break it as they are.',
  ],
  examples: [
    ['rule add db-apart --kind apart --label team=db', 'each on another host'],
    ['rule add near --kind together --vm web1 --vm cache1 --soft', 'if possible'],
    ['rule add licensed --kind on --label app=erp --group licensed-hosts', 'only there'],
  ],
  args: [{ name: 'NAME', complete: 'rule' }],
  options: {
    kind: { value: KINDS.join('|'), summary: 'what it asks for', choices: KINDS },
    vm: { value: 'VM', summary: 'that VM; may be repeated', many: true, complete: 'vm' },
    label: { short: 'l', value: 'KEY=VALUE', summary: 'VMs with that label; may be repeated', many: true },
    group: { value: 'GROUP', summary: 'of hosts; for on and off', complete: 'group' },
    soft: { summary: 'broken only if nothing else is possible' },
    ...OUTPUT,
  },
  run: async (given) => {
    const { args, flags, io, output } = given;
    const [name] = args;
    const { rule, brokenBy } = await changeOnce(given, (client, options) =>
      client('Cluster').putRule(
        {
          name,
          kind: flags.text('kind') ?? '',
          soft: flags.has('soft'),
          vms: flags.list('vm'),
          labels: flags.list('label'),
          group: flags.text('group') ?? '',
        },
        options,
      ),
    );
    io.say(
      `the rule ${name} holds${brokenBy.length > 0 ? `; as they are now it is broken by ${brokenBy.join(', ')}: godwit migrate` : ''}`,
    );
    if (rule) output.result(rule, (one) => one.name);
    return exitCodes.ok;
  },
};

const ruleRm: Command = {
  path: ['rule', 'rm'],
  summary: 'removes a placement rule',
  examples: [['rule rm db-apart', 'no VM moves for that']],
  args: [{ name: 'NAME', complete: 'rule' }],
  run: async (given) => {
    const [name] = given.args;
    await changeOnce(given, (client, options) => client('Cluster').removeRule({ name }, options));
    given.io.say(`the rule ${name} was removed`);
    return exitCodes.ok;
  },
};

const groupLs: Command = {
  path: ['group', 'ls'],
  summary: 'lists host groups',
  examples: [['group ls', 'groups, which rules may name']],
  options: LIST,
  run: async ({ output, session }) => {
    const { groups } = await session().ask((client, options) => client('Cluster').listGroups({}, options));
    output.list(GROUP_KIND, groups, 'there are no host groups: godwit group add NAME HOST... makes one');
    return exitCodes.ok;
  },
};

const groupAdd: Command = {
  path: ['group', 'add'],
  summary: 'makes a host group, or replaces the one of that name',
  examples: [['group add licensed-hosts alpha beta', 'for godwit rule add --kind on --group licensed-hosts']],
  args: [
    { name: 'NAME', complete: 'group' },
    { name: 'HOST', complete: 'host', many: true },
  ],
  options: OUTPUT,
  run: async (given) => {
    const [name, ...hosts] = given.args;
    const group = await changeOnce(given, (client, options) => client('Cluster').putGroup({ name, hosts }, options));
    given.io.say(`the group ${name} is ${hosts.join(', ')}`);
    given.output.result(group, (one) => one.name);
    return exitCodes.ok;
  },
};

const groupRm: Command = {
  path: ['group', 'rm'],
  summary: 'removes a host group that no rule names',
  examples: [['group rm licensed-hosts', 'the hosts stay']],
  args: [{ name: 'NAME', complete: 'group' }],
  run: async (given) => {
    const [name] = given.args;
    await changeOnce(given, (client, options) => client('Cluster').removeGroup({ name }, options));
    given.io.say(`the group ${name} was removed`);
    return exitCodes.ok;
  },
};

export const ruleCommands: readonly Command[] = [ruleLs, ruleAdd, ruleRm, groupLs, groupAdd, groupRm].map(remote);
