/** Actions that must not overlap take turns; urgent ones go first. None begins within the call that asks for it. */
export class Turns {
  private readonly waiting: { readonly act: () => Promise<void>; readonly urgent: boolean }[] = [];
  private busy = false;

  take<T>(act: () => Promise<T>, urgent: boolean): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const turn = { act: () => act().then(resolve, reject), urgent };
      const behind = urgent ? this.waiting.findIndex((one) => !one.urgent) : -1;
      if (behind >= 0) this.waiting.splice(behind, 0, turn);
      else this.waiting.push(turn);
      if (this.busy) return;
      this.busy = true;
      queueMicrotask(() => void this.run());
    });
  }

  private async run(): Promise<void> {
    for (let turn = this.waiting.shift(); turn; turn = this.waiting.shift()) await turn.act();
    this.busy = false;
  }
}
