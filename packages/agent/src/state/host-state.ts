/** What this host keeps about itself over restarts of its agent: `host.json`. */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { AgentError } from '../errors';
import { readJson, writeJson } from './json-file';

interface Kept {
  readonly hostId: string;
  /** The highest term obeyed: orders of lower ones are refused. */
  readonly highestTerm: number;
  readonly maintenance: boolean;
  /** As the controllers named themselves last. */
  readonly controllers: readonly string[];
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export class HostState {
  private constructor(
    private readonly file: string,
    private kept: Kept,
  ) {}

  /** @param wanted the host's id, when the configuration gives one. @throws AgentError when the file is damaged: the host would be another one */
  static open(folder: string, wanted?: string): HostState {
    const file = path.join(folder, 'host.json');
    const found = readJson(file);
    if (!found && existsSync(file))
      throw new AgentError(`${file} is damaged: restore it (it holds the host's id), or remove it and join the host anew`);
    const hostId = typeof found?.hostId === 'string' ? found.hostId : (wanted ?? randomUUID());
    if (!UUID.test(hostId)) throw new AgentError(`${file}: hostId must be a UUID in lower case`);
    if (wanted !== undefined && wanted !== hostId)
      throw new AgentError(`${file} belongs to host ${hostId}, the configuration to ${wanted}: choose another stateDir`);
    const { highestTerm, maintenance, controllers } = found ?? {};
    const state = new HostState(file, {
      hostId,
      highestTerm: Number.isSafeInteger(highestTerm) ? (highestTerm as number) : 0,
      maintenance: maintenance === true,
      controllers: Array.isArray(controllers) ? controllers.filter((one): one is string => typeof one === 'string') : [],
    });
    state.write({});
    return state;
  }

  get hostId(): string {
    return this.kept.hostId;
  }
  get highestTerm(): number {
    return this.kept.highestTerm;
  }
  get maintenance(): boolean {
    return this.kept.maintenance;
  }
  get controllers(): readonly string[] {
    return this.kept.controllers;
  }

  /** False: a newer controller has spoken, this one is not obeyed. Durable on return. */
  obey(term: number): boolean {
    if (term < this.kept.highestTerm) return false;
    if (term > this.kept.highestTerm) this.write({ highestTerm: term });
    return true;
  }

  setMaintenance(maintenance: boolean): void {
    if (maintenance !== this.kept.maintenance) this.write({ maintenance });
  }

  setControllers(controllers: readonly string[]): void {
    if (controllers.length > 0 && controllers.join() !== this.kept.controllers.join()) this.write({ controllers });
  }

  private write(changes: Partial<Kept>): void {
    const next = { ...this.kept, ...changes };
    writeJson(this.file, next);
    this.kept = next;
  }
}
