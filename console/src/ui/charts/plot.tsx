import { useEffect, useRef } from 'react';
import UPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { axisTime, type Zone } from '../../format/times.ts';
import type { Line } from './time-chart.tsx';

interface PlotProps {
  className: string;
  times: readonly string[];
  lines: readonly Line[];
  zone: Zone;
  onRange: ((from: string, to: string) => void) | undefined;
}

/** Draws lines on a canvas; new numbers are set into the chart that is there. */
export default function Plot({ className, times, lines, zone, onRange }: PlotProps) {
  const frame = useRef<HTMLDivElement>(null);
  const chart = useRef<UPlot>(undefined);
  const ranged = useRef(onRange);
  ranged.current = onRange;
  const data = [times.map((time) => Date.parse(time) / 1_000), ...lines.map(({ values }) => [...values])];
  const latest = useRef(data);
  latest.current = data;
  const drawn = useRef(lines);
  drawn.current = lines;
  const shape = lines.map(({ name, tone, dashed }) => `${name} ${tone} ${dashed ?? ''}`).join();

  // biome-ignore lint/correctness/useExhaustiveDependencies: another shape of lines is another chart
  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    const make = () => {
      chart.current?.destroy();
      chart.current = new UPlot(
        optionsFor(element, drawn.current, zone, ranged),
        latest.current as UPlot.AlignedData,
        element,
      );
    };
    make();
    const resized = new ResizeObserver(() =>
      chart.current?.setSize({ width: element.clientWidth, height: element.clientHeight }),
    );
    resized.observe(element);
    // A canvas knows no themes: it is drawn again with the colours of the new one.
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', make);
    const themed = new MutationObserver(make);
    themed.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    return () => {
      resized.disconnect();
      dark.removeEventListener('change', make);
      themed.disconnect();
      chart.current?.destroy();
      chart.current = undefined;
    };
  }, [shape, zone]);
  useEffect(() => chart.current?.setData(latest.current as UPlot.AlignedData));
  return <div ref={frame} className={className} aria-hidden="true" />;
}

function optionsFor(
  element: HTMLElement,
  lines: readonly Line[],
  zone: Zone,
  ranged: { current: ((from: string, to: string) => void) | undefined },
): UPlot.Options {
  const colour = (name: string) => resolvedColour(element, name);
  const quiet = {
    stroke: colour('--quiet'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
  };
  const font = '12px system-ui, sans-serif';
  return {
    width: element.clientWidth,
    height: element.clientHeight,
    legend: { show: false },
    cursor: {
      y: false,
      points: { size: 6 },
      drag: { x: ranged.current !== undefined, y: false, setScale: false },
    },
    scales: { y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] } },
    axes: [
      {
        ...quiet,
        font,
        space: 120,
        size: 32,
        values: (_, seconds, __, ___, apart) =>
          seconds.map((at) => axisTime(new Date(at * 1_000).toISOString(), zone, new Date(), apart < 60)),
      },
      {
        ...quiet,
        font,
        size: 56,
        values: (_, values) =>
          values.map((value) => (Number.isInteger(value) ? value.toLocaleString('en') : '')),
      },
    ],
    series: [
      {},
      ...lines.map(({ name, tone, dashed }) => ({
        label: name,
        stroke: colour(`--${tone}`),
        width: 2,
        points: { show: false },
        ...(dashed ? { dash: [6, 4] } : {}),
      })),
    ],
    hooks: {
      setSelect: [
        (chart) => {
          const { left, width } = chart.select;
          if (width < 4 || !ranged.current) return;
          const time = (x: number) => new Date(chart.posToVal(x, 'x') * 1_000).toISOString();
          ranged.current(time(left), time(left + width));
        },
      ],
    },
  };
}

/** The colour behind a custom property as it is in the theme in force. */
function resolvedColour(element: HTMLElement, name: string): string {
  const before = element.style.color;
  element.style.color = `var(${name})`;
  const { color } = getComputedStyle(element);
  element.style.color = before;
  return color;
}
