import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';

/** How a receiver treats a request that it has read to its end; `resetBeforeReading` acts on the connection instead. */
export type Behaviour = {
  resetBeforeReading?: true;
  answer(response: ServerResponse): void;
};

/** 200 with a short body. */
export const ok: Behaviour = { answer: (response) => response.end('ok') };

/** 200 with this body. */
export function okWith(body: string | Buffer): Behaviour {
  return { answer: (response) => response.end(body) };
}

/** 200 after so many milliseconds. */
export function slow(ms: number): Behaviour {
  return {
    answer: (response) => {
      const timer = setTimeout(() => response.end('ok'), ms);
      response.on('close', () => clearTimeout(timer));
    },
  };
}

/** Any status with any headers. */
export function status(code: number, headers: Record<string, string> = {}): Behaviour {
  return { answer: (response) => response.writeHead(code, headers).end(`status ${code}`) };
}

/** 429 that asks for a pause of so many seconds. */
export function retryAfter(seconds: number): Behaviour {
  return status(429, { 'retry-after': String(seconds) });
}

/** The first `failures` requests get `code`, the others 200. */
export function flaky(failures: number, code = 500): Behaviour {
  let left = failures;
  return {
    answer: (response) => {
      const failing = left > 0;
      left -= 1;
      (failing ? status(code) : ok).answer(response);
    },
  };
}

/** A redirect to somewhere else. */
export function redirect(location: string): Behaviour {
  return status(302, { location });
}

/** A body of zeros of so many bytes, gzipped although nobody asked. */
export function gzip(bytes: number): Behaviour {
  const body = gzipSync(Buffer.alloc(bytes));
  return { answer: (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(body) };
}

/** Answers 500 with this chance, after so many milliseconds; the same for the same order of requests. */
export function moody(chance: number, afterMs = 0): Behaviour {
  let state = 4_400;
  return {
    answer(response) {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      response.statusCode = state / 2_147_483_648 < chance ? 500 : 200;
      if (afterMs > 0) setTimeout(() => response.end(), afterMs);
      else response.end();
    },
  };
}

/** A TCP reset after the request was read. */
export const reset: Behaviour = { answer: (response) => response.socket?.resetAndDestroy() };

/** The connection is closed in order, without an answer. */
export const closeSilently: Behaviour = { answer: (response) => response.socket?.end() };

/** A TCP reset as soon as the connection is there; not available per path. */
export const resetBeforeReading: Behaviour = { resetBeforeReading: true, ...reset };

/** Never answers. */
export const hang: Behaviour = { answer: () => {} };

/** A behaviour that keeps every request until it is released. */
type Held = Behaviour & {
  /** Answers what is kept, and whatever comes from now on, so. */
  release(behaviour: Behaviour): void;
};

/** Answers nothing until the test says so: what must happen meanwhile has all the time it takes. */
export function held(): Held {
  const kept: ServerResponse[] = [];
  let released: Behaviour | undefined;
  return {
    answer: (response) => void (released ? released.answer(response) : kept.push(response)),
    release(behaviour) {
      released = behaviour;
      for (const response of kept.splice(0)) behaviour.answer(response);
    },
  };
}

/** An interim answer (103), and then nothing. */
export const interimThenHang: Behaviour = {
  answer: (response) => response.writeEarlyHints({ link: '</a>; rel=preload' }),
};

/** Announces a longer body than it sends and closes. */
export const halfAnswer: Behaviour = raw('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf');

/** Closes within the header of its answer. */
export const halfHeader: Behaviour = raw('HTTP/1.1 200 OK\r\ncontent-le');

/** Bytes that no HTTP parser takes. */
export const malformed: Behaviour = raw('NOT HTTP AT ALL\r\n\r\n');

/** A status line, then a byte of the body a second. */
export const drip: Behaviour = {
  answer: (response) => {
    response.writeHead(200, { 'content-length': '1000' });
    repeat(response, 1_000, () => response.write('.'));
    response.write('.');
  },
};

/** A byte of the *header* a second: no status is ever complete. */
export const headerDrip: Behaviour = {
  answer: (response) => repeat(response, 1_000, () => response.socket?.write('H')),
};

/** A body that never ends, as fast as it is read. */
export const endlessBody: Behaviour = {
  answer: (response) => {
    response.writeHead(200);
    pour(response, 'x'.repeat(16_384), (chunk) => response.write(chunk));
  },
};

/** A header that never ends. */
export const endlessHeaders: Behaviour = {
  answer: (response) => {
    response.socket?.write('HTTP/1.1 200 OK\r\n');
    pour(response, `x-filler: ${'x'.repeat(1_000)}\r\n`, (chunk) => response.socket?.write(chunk) ?? false);
  },
};

/** These bytes as the answer, and the end of the connection. */
export function raw(answer: string): Behaviour {
  return { answer: (response) => response.socket?.end(answer, 'latin1') };
}

/** These bytes as the answer, some at a time, on a connection that stays open. */
export function rawOpen(answer: string, bytesAtATime = answer.length): Behaviour {
  return {
    answer(response) {
      const write = (from: number): void => {
        if (from >= answer.length || response.socket === null) return;
        response.socket.write(answer.slice(from, from + bytesAtATime), 'latin1');
        setImmediate(write, from + bytesAtATime);
      };
      write(0);
    },
  };
}

function repeat(response: ServerResponse, everyMs: number, action: () => void): void {
  const timer = setInterval(action, everyMs);
  response.on('close', () => clearInterval(timer));
}

function pour(response: ServerResponse, chunk: string, write: (chunk: string) => boolean): void {
  const socket = response.socket;
  const more = (): void => {
    if (socket === null || socket.destroyed) return;
    // One chunk a turn: an unbroken loop would fill the kernel's buffers before the sender, in this same process, reads.
    if (write(chunk)) setImmediate(more);
    else socket.once('drain', more);
  };
  more();
}
