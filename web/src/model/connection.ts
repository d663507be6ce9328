/**
 * One WebSocket to the house's streams, kept up for ever.
 *
 * Promises: says truthfully whether what the page shows is live. "live" means that the house has
 * said something within the last STALE_AFTER_MS: an own question every BEAT_MS makes even a quiet
 * market speak. Reconnects with growing pauses, at once when the browser comes back online.
 * Subscriptions are wishes: they are sent again after every reconnect.
 */
export type Liveness = 'connecting' | 'live' | 'stale' | 'reconnecting';

const BEAT_MS = 3_000;
const STALE_AFTER_MS = 8_000;
const GIVE_UP_AFTER_MS = 12_000;
const PAUSE_MIN_MS = 400;
const PAUSE_MAX_MS = 8_000;

export interface Wrapped {
  stream: string;
  data: unknown;
}

export interface ConnectionPort {
  open(url: string): WebSocket;
  now(): number;
}

const browserPort: ConnectionPort = {
  open: (url) => new WebSocket(url),
  now: () => Date.now(),
};

export class Connection {
  liveness: Liveness = 'connecting';
  /** When the house last said something (page clock, ms); 0 before the first word. */
  lastHeard = 0;
  /** Measured on the last beat; null before. */
  roundTripMs: number | null = null;

  #socket: WebSocket | null = null;
  #wanted = new Set<string>();
  #pause = PAUSE_MIN_MS;
  #nextId = 1;
  #beat: { id: number; at: number } | null = null;
  #openedAt = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(
    private readonly url: string,
    private readonly on: {
      event: (wrapped: Wrapped) => void;
      /** The socket is open; the streams returned join those already wanted. */
      opened: () => void;
      liveness: (liveness: Liveness) => void;
    },
    private readonly port: ConnectionPort = browserPort,
  ) {}

  start(): void {
    this.#timer = setInterval(() => this.#check(), 1_000);
    globalThis.addEventListener?.('online', this.#hurry);
    globalThis.addEventListener?.('offline', this.#drop);
    this.#connect();
  }

  stop(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#retry);
    globalThis.removeEventListener?.('online', this.#hurry);
    globalThis.removeEventListener?.('offline', this.#drop);
    this.#socket?.close();
  }

  get open(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  subscribe(streams: readonly string[]): void {
    const fresh = streams.filter((stream) => !this.#wanted.has(stream));
    for (const stream of fresh) this.#wanted.add(stream);
    if (fresh.length > 0 && this.open) this.#ask('SUBSCRIBE', fresh);
  }

  unsubscribe(streams: readonly string[]): void {
    const known = streams.filter((stream) => this.#wanted.delete(stream));
    if (known.length > 0 && this.open) this.#ask('UNSUBSCRIBE', known);
  }

  readonly #hurry = (): void => {
    if (this.open || this.#closed) return;
    clearTimeout(this.#retry);
    this.#pause = PAUSE_MIN_MS;
    this.#connect();
  };

  readonly #drop = (): void => {
    this.#lost();
  };

  #ask(method: string, params?: readonly string[]): number {
    const id = this.#nextId++;
    this.#socket?.send(JSON.stringify(params ? { method, params, id } : { method, id }));
    return id;
  }

  #connect(): void {
    if (this.#closed) return;
    this.#socket?.close();
    const socket = this.port.open(this.url);
    this.#socket = socket;
    this.#openedAt = this.port.now();
    this.#beat = null;
    socket.onopen = () => {
      if (socket !== this.#socket) return;
      this.#heard();
      if (this.#wanted.size > 0) this.#ask('SUBSCRIBE', [...this.#wanted]);
      this.on.opened();
    };
    socket.onmessage = (message: MessageEvent<string>) => {
      if (socket === this.#socket) this.#receive(message.data);
    };
    socket.onclose = () => {
      if (socket === this.#socket) this.#lost();
    };
  }

  #receive(text: string): void {
    this.#heard();
    const body = JSON.parse(text) as Partial<Wrapped> & { id?: number };
    if (body.stream !== undefined && body.data !== undefined) {
      this.on.event(body as Wrapped);
    } else if (this.#beat && body.id === this.#beat.id) {
      this.roundTripMs = this.port.now() - this.#beat.at;
      this.#beat = null;
      this.#pause = PAUSE_MIN_MS;
    }
  }

  #heard(): void {
    this.lastHeard = this.port.now();
    this.#say('live');
  }

  #check(): void {
    const now = this.port.now();
    if (!this.open) {
      const stuck = this.#socket?.readyState === WebSocket.CONNECTING;
      if (stuck && now - this.#openedAt > GIVE_UP_AFTER_MS) this.#lost();
      return;
    }
    const silence = now - this.lastHeard;
    if (silence > GIVE_UP_AFTER_MS) this.#lost();
    else if (silence > STALE_AFTER_MS) this.#say('stale');
    if (this.open && (!this.#beat || now - this.#beat.at > BEAT_MS * 2)) {
      if (!this.#beat || silence > BEAT_MS) {
        this.#beat = { id: this.#ask('LIST_SUBSCRIPTIONS'), at: now };
      }
    }
  }

  #lost(): void {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.#say('reconnecting');
    if (this.#closed) return;
    clearTimeout(this.#retry);
    const spread = 0.75 + Math.random() * 0.5;
    this.#retry = setTimeout(() => this.#connect(), this.#pause * spread);
    this.#pause = Math.min(PAUSE_MAX_MS, this.#pause * 1.8);
  }

  #say(liveness: Liveness): void {
    if (liveness === this.liveness) return;
    this.liveness = liveness;
    this.on.liveness(liveness);
  }
}
