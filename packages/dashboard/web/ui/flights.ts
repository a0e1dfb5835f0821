/** VMs that move are seen to move: from where their chip was to where it is now. */
const FLIGHT_MS = 900;
const MAX_FLIGHTS = 40;
const before = new Map<string, DOMRect>();

const chipOf = (vmId: string): HTMLElement | null => document.querySelector<HTMLElement>(`[data-vm="${CSS.escape(vmId)}"]`);

/** While they are still shown where they were. */
export function rememberPlaces(vmIds: readonly string[]): void {
  for (const id of vmIds.slice(0, MAX_FLIGHTS)) {
    const chip = chipOf(id);
    if (chip) before.set(id, chip.getBoundingClientRect());
  }
  // Once they have been drawn where they are now.
  if (before.size > 0) requestAnimationFrame(() => requestAnimationFrame(play));
}

function play(): void {
  const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
  for (const [id, from] of before) {
    const chip = chipOf(id);
    if (!chip) continue;
    const to = chip.getBoundingClientRect();
    if (calm) chip.animate([{ outlineColor: 'var(--moving)' }, { outlineColor: 'transparent' }], { duration: 3_000 });
    else {
      const [x, y] = [from.left - to.left, from.top - to.top];
      chip.animate(
        [
          { transform: `translate(${x}px, ${y}px)`, zIndex: 5 },
          { transform: `translate(${x * 0.5}px, ${y * 0.5 - 24}px) scale(1.06)`, zIndex: 5, offset: 0.5 },
          { transform: 'none', zIndex: 5 },
        ],
        { duration: FLIGHT_MS, easing: 'cubic-bezier(.4, 0, .2, 1)' },
      );
    }
    chip.classList.add('arrived');
    setTimeout(() => chip.classList.remove('arrived'), 4_000);
  }
  before.clear();
}
