/** One move, measured: by the VMM's own record, by the probe, by the guest's heartbeats and by the oracle. */
import { setTimeout as sleep } from 'node:timers/promises';
import { CpuTime } from './cpu-time.mjs';
import { Oracle } from '../../oracle/guest.mjs';
import { Probe } from './probe.mjs';
import { gapAcross, jitter, longestGap, nowMs, speed, untilFullSpeed } from './series.mjs';
import { WebClient } from './web.mjs';

/** The load runs so long before a move, and is watched so long after it; the jitter is taken from the end of the first. Milliseconds. */
const SETTLE_MS = 1500;
const BASELINE_MS = 1000;
const WATCH_MS = 1500;
/** How exactly the VMMs' own times of the switch are known, milliseconds. */
const SWITCH_SLACK_MS = 10;

/** A guest with an oracle in it, on one side, with a probe that watches it. */
export class Subject {
  /** @param side see godwit-side.mjs; `context`: { rig, images, folder for tools } */
  static async start(side, row, context, options) {
    const { rig, images, tools } = context;
    const subject = new Subject();
    const guest = row.guest(images);
    const address = guest.network ? rig.address() : undefined;
    const vm = await side.start(rig, { name: 'vm', ...guest, append: guest.append({ address }), nic: Boolean(address) }, options);
    const oracle = new Oracle((text) => vm.type(text));
    vm.onText((text) => oracle.line.take(text));
    Object.assign(subject, { side, row, context, vm, oracle, address });
    try {
      await oracle.ready();
      subject.probe = new Probe(rig.client, address, tools);
      await subject.probe.ready();
      oracle.beat(false);
      subject.probe.rest();
      return subject;
    } catch (error) {
      await subject.stop();
      throw new Error(`${side.name}: ${error.message} ${vm.log.slice(-500)}`);
    }
  }

  async startWeb() {
    const { rig, images } = this.context;
    this.web = new WebClient(rig.client, this.address, images.busybox);
    rig.adopt(this.web.child);
    await this.web.busy();
  }
  async stopWeb() {
    await this.web.stop();
  }

  /** Sets the load to work, moves the VM, lets it rest again. */
  async measure({ limitMs }) {
    const { vm, oracle, probe, row } = this;
    await vm.prepare();
    probe.go();
    oracle.beat(true);
    await row.begin(this);
    await sleep(SETTLE_MS);
    const cpu = new CpuTime(vm.pids());
    const began = nowMs();
    const move = await vm.move({ limitMs });
    const ended = nowMs();
    const cpuMs = cpu.stop();
    await sleep(WATCH_MS);
    const until = nowMs();
    const verdict = await oracle.check();
    await row.end(this);
    oracle.beat(false);
    probe.rest();
    const figures = this.figures({ began, ended, until, switched: move.switched });
    probe.forget(nowMs());
    oracle.line.forget(nowMs());
    return { side: this.side.name, row: row.name, ...move, ...figures, ...this.webFigures(began, until), wallMs: ended - began, cpuMs, ...this.judge(verdict) };
  }

  figures({ began, ended, until, switched }) {
    const { probe, oracle, row } = this;
    const before = [began - BASELINE_MS, began];
    const across = switched ? [switched.from - SWITCH_SLACK_MS, switched.to + SWITCH_SLACK_MS] : [began, ended];
    const times = oracle.line.beats.map(({ ms }) => ms);
    const gap = gapAcross(probe.times, ...across);
    const points = row.points(this);
    const full = speed(points, ...before);
    const during = speed(points, began, gap.from);
    return {
      gapMs: switched ? gap.ms : Number.NaN, jitterMs: Math.max(...jitter(probe.times, ...before)),
      stallMs: longestGap(probe.times, began, Math.max(began, gap.from)).ms, afterStallMs: longestGap(probe.times, gap.to, until).ms,
      serialGapMs: switched ? gapAcross(times, ...across).ms : Number.NaN, serialJitterMs: Math.max(...jitter(times, ...before)),
      speedBefore: full, speedDuring: during, speedAfter: speed(points, until - BASELINE_MS / 2, until),
      slowdown: full > 0 ? 1 - during / full : Number.NaN,
      fullSpeedMs: full > 0 ? untilFullSpeed(points, gap.to, full) : Number.NaN,
    };
  }

  webFigures(began, until) {
    if (!this.web) return {};
    const { wrong, failed } = this.web;
    return { longestRequestMs: this.web.longest(began, until), wrongAnswers: wrong, failedRequests: failed };
  }

  /** A web server's guest is whole if its answers are, too. */
  judge({ ok, line }) {
    const wrong = this.web?.wrong ?? 0;
    return { verdict: ok && wrong === 0, said: wrong > 0 ? `${wrong} wrong answers; ${line}` : line };
  }

  async stop() {
    await this.web?.stop();
    await this.probe?.stop();
    await this.vm.stop();
  }
}
