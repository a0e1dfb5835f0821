/** A chart over time (uPlot), in the theme's colours, drawn anew when the data or the theme changes. */
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

export interface Line {
  readonly name: string;
  /** A custom property of the theme: `--moving`. */
  readonly colour: string;
  readonly dashed?: boolean;
}

interface ChartProps {
  readonly label: string;
  readonly lines: readonly Line[];
  /** Seconds, then a row for each line. */
  readonly times: readonly number[];
  readonly rows: readonly (readonly number[])[];
  readonly format: (value: number) => string;
  readonly max?: number;
  /** The scale is never finer than up to this. */
  readonly least?: number;
  readonly height?: number;
  /** Seconds since a beginning instead of the time of day. */
  readonly relative?: boolean;
}

export function Chart({ label, lines, times, rows, format, max, least = 1, height = 180, relative = false }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const data = [times, ...rows] as unknown as uPlot.AlignedData;
  const latest = useRef(data);
  latest.current = data;
  useEffect(() => {
    const element = box.current!;
    const make = (): void => {
      plot.current?.destroy();
      const style = getComputedStyle(document.documentElement);
      const colour = (name: string): string => style.getPropertyValue(name).trim();
      const axis = { stroke: colour('--dim'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false }, font: '12px system-ui' };
      plot.current = new uPlot(
        {
          width: element.clientWidth,
          height,
          padding: [8, 12, 0, 0],
          legend: { show: false },
          cursor: { y: false, points: { size: 6 } },
          scales: { x: { time: !relative }, y: { range: (_, __, most) => [0, max ?? Math.max((most ?? 0) * 1.1, least)] } },
          axes: [
            { ...axis, ...(relative ? { values: (_: uPlot, values: number[]) => values.map((value) => `${value.toFixed(1)} s`) } : {}) },
            { ...axis, size: 78, values: (_: uPlot, values: number[]) => values.map(format) },
          ],
          series: [
            {},
            ...lines.map(({ name, colour: stroke, dashed }) => ({
              label: name,
              stroke: colour(stroke),
              width: 2,
              fill: dashed ? undefined : `color-mix(in srgb, ${colour(stroke)} 12%, transparent)`,
              ...(dashed ? { dash: [6, 4] } : {}),
              points: { show: false },
            })),
          ],
        },
        latest.current,
        element,
      );
    };
    make();
    const sized = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height }));
    sized.observe(element);
    const themed = new MutationObserver(make);
    themed.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    return () => {
      sized.disconnect();
      themed.disconnect();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [lines.map(({ name }) => name).join(), height, relative]);
  useEffect(() => plot.current?.setData(data));
  return (
    <figure class="chart" aria-label={`${label}: ${lines.map(({ name }, row) => `${name} ${format(rows[row]?.at(-1) ?? 0)}`).join(', ')}`}>
      <figcaption class="legend">
        {lines.map(({ name, colour, dashed }, row) => (
          <span key={name}>
            <i class={dashed ? 'dashed' : ''} style={{ color: `var(${colour})` }} aria-hidden="true" /> {name} <b>{format(rows[row]?.at(-1) ?? 0)}</b>
          </span>
        ))}
      </figcaption>
      {times.length === 0 && <p class="chart-none">No figures yet.</p>}
      <div ref={box} class="chart-box" style={{ height: `${height}px` }} />
    </figure>
  );
}
