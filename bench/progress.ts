import { MultiBar, Presets, type SingleBar } from 'cli-progress';

/** A step that is under way. */
interface Step {
  end(): void;
}

/**
 * Shows a person what is going on: bars on a terminal, lines elsewhere; on standard error, as results are for other
 * programs.
 */
export interface Progress {
  /** Says what is measured now. */
  step(name: string): Step;
  /** How far the step that is under way has come. */
  at(done: number, of: number): void;
  line(text: string): void;
  end(): void;
}

/** Makes it for standard error of this process, a terminal or not. */
export function createProgress(): Progress {
  return process.stderr.isTTY ? bars() : lines();
}

function lines(): Progress {
  const startedAt = performance.now();
  const line = (text: string) =>
    void process.stderr.write(
      `${((performance.now() - startedAt) / 1_000).toFixed(0).padStart(5)} s  ${text}\n`,
    );
  return {
    step(name) {
      line(name);
      return { end() {} };
    },
    at() {},
    line,
    end() {},
  };
}

function bars(): Progress {
  const all = new MultiBar(
    { format: ' {bar} {percentage}% {name} {duration_formatted}', hideCursor: true, clearOnComplete: true },
    Presets.shades_classic,
  );
  let bar: SingleBar | undefined;
  return {
    step(name) {
      const mine = all.create(1, 0, { name });
      bar = mine;
      return {
        end() {
          all.remove(mine);
          bar = undefined;
        },
      };
    },
    at(done, of) {
      bar?.setTotal(of);
      bar?.update(done);
    },
    line: (text) => all.log(`${text}\n`),
    end: () => all.stop(),
  };
}
