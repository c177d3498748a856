import { type buildConnector, Client } from 'undici';

/**
 * A request that waits for a socket; `withSocket` is called once, unless it is `abandoned` by then, with whether others
 * had that client before it; `stop` ends the wait.
 */
export type SocketUser = {
  readonly abandoned: boolean;
  withSocket(client: Client, wasUsed: boolean): void;
  stop(): void;
};

/** The options that the pools of all origins share. */
export type SocketPoolOptions = {
  connect: buildConnector.connector;
  maxSocketsPerOrigin: number;
};

/**
 * Idle sockets close before the 5 s after which Node's own servers close theirs: fewer requests meet a dying socket.
 */
const KEEP_ALIVE_MS = 4_000;
/** The longest time to which a receiver's `Keep-Alive: timeout=` may stretch that. */
const KEEP_ALIVE_MAX_MS = 60_000;
/** A socket is replaced after so many requests, so that a busy origin does not stay on an address its name has left. */
const MAX_REQUESTS_PER_SOCKET = 10_000;

/**
 * The sockets to one origin: undici clients of one socket and one request at a time each, reused last in, first out.
 * Our own and not undici's `Pool`, because a request that waits in that one cannot be taken back: here a request that
 * is given up while it waits is certainly never sent, costs no connection, and harms no other socket.
 */
export class SocketPool {
  readonly #origin: string;
  readonly #options: SocketPoolOptions;
  readonly #idle: Client[] = [];
  readonly #waiting: SocketUser[] = [];
  #inUse = 0;
  #connected = 0;

  constructor(origin: string, options: SocketPoolOptions) {
    this.#origin = origin;
    this.#options = options;
  }

  /** Counts for the metrics: requests on a socket or connecting, requests waiting, sockets that are connected. */
  get counts(): { inUse: number; waiting: number; connected: number } {
    return { inUse: this.#inUse, waiting: this.#waiting.length, connected: this.#connected };
  }

  /** Nothing in use, waiting or connected: the pool can be forgotten. */
  get unused(): boolean {
    return this.#inUse === 0 && this.#waiting.length === 0 && this.#connected === 0;
  }

  /** Gives the user a client, now or when one becomes free; every user must end with `release` or `discard`. */
  acquire(user: SocketUser): void {
    if (this.#inUse < this.#options.maxSocketsPerOrigin) {
      this.#inUse += 1;
      const idle = this.#idle.pop();
      user.withSocket(idle ?? this.#createClient(), idle !== undefined);
    } else {
      this.#waiting.push(user);
    }
  }

  /** Takes back a client whose request has ended cleanly. */
  release(client: Client): void {
    this.#inUse -= 1;
    this.#idle.push(client);
    // Deferred: undici is still inside the end of that request, and a dispatch from there is a path nobody treads.
    if (this.#waiting.length > 0) queueMicrotask(() => this.#serveNext());
  }

  /** Ends a client that failed or was aborted. */
  discard(client: Client): void {
    // Deferred: undici asserts that nothing is done to a client from within its error callback.
    queueMicrotask(() => {
      this.#inUse -= 1;
      void client.destroy();
      this.#serveNext();
    });
  }

  /** Refuses all that wait; sockets in use go on. */
  stopWaiting(): void {
    for (const user of this.#waiting.splice(0)) user.stop();
  }

  /** Closes the idle sockets. */
  async destroyIdle(): Promise<void> {
    await Promise.all(this.#idle.splice(0).map((client) => client.destroy()));
  }

  #serveNext(): void {
    while (this.#waiting.length > 0 && this.#inUse < this.#options.maxSocketsPerOrigin) {
      const user = this.#waiting.shift();
      if (user !== undefined && !user.abandoned) this.acquire(user);
    }
  }

  #createClient(): Client {
    const client = new Client(this.#origin, {
      connect: this.#options.connect,
      pipelining: 1,
      allowH2: false,
      maxRequestsPerClient: MAX_REQUESTS_PER_SOCKET,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MAX_MS,
      // A limit for each phase is evaded by a drip; the attempt's one timer bounds the whole.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    client.on('connect', () => {
      this.#connected += 1;
    });
    client.on('disconnect', () => {
      this.#connected -= 1;
      const at = this.#idle.indexOf(client);
      if (at !== -1) this.#idle.splice(at, 1);
    });
    return client;
  }
}
