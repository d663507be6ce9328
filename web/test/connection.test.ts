import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Connection, type Liveness } from '../src/model/connection.ts';

/** A socket that the test opens, feeds and cuts by hand. */
class FakeSocket {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  readyState = 0;
  sent: { method: string; params?: string[]; id: number }[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;

  send(text: string): void {
    this.sent.push(JSON.parse(text) as (typeof this.sent)[number]);
  }

  close(): void {
    this.readyState = 3;
  }

  opens(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  says(body: unknown): void {
    this.onmessage?.({ data: JSON.stringify(body) });
  }

  cut(): void {
    this.readyState = 3;
    this.onclose?.();
  }
}

describe('the connection', () => {
  let sockets: FakeSocket[];
  let told: Liveness[];
  let events: string[];
  let connection: Connection;
  const newest = (): FakeSocket => {
    const socket = sockets.at(-1);
    if (!socket) throw new Error('no socket yet');
    return socket;
  };

  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal('WebSocket', FakeSocket);
    sockets = [];
    told = [];
    events = [];
    connection = new Connection(
      'ws://house/stream',
      {
        event: (wrapped) => events.push(wrapped.stream),
        opened: () => undefined,
        liveness: (liveness) => told.push(liveness),
      },
      {
        open: () => {
          sockets.push(new FakeSocket());
          return newest() as unknown as WebSocket;
        },
        now: () => Date.now(),
      },
    );
  });

  afterEach(() => {
    connection.stop();
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it('keeps a quiet market live by asking, and the answers count', () => {
    connection.start();
    newest().opens();
    for (let second = 0; second < 30; second += 1) {
      vi.advanceTimersByTime(1_000);
      const asked = newest().sent.at(-1);
      if (asked?.method === 'LIST_SUBSCRIPTIONS') newest().says({ result: [], id: asked.id });
    }
    expect(told).toEqual(['live']);
    expect(sockets.length).toBe(1);
  });

  it('says stale when the house falls silent, then gives the socket up and connects again', () => {
    connection.start();
    newest().opens();
    vi.advanceTimersByTime(10_000);
    expect(told).toEqual(['live', 'stale']);
    const heard = connection.lastHeard;
    vi.advanceTimersByTime(5_000);
    expect(told).toEqual(['live', 'stale', 'reconnecting']);
    expect(sockets.length).toBe(2);
    expect(connection.lastHeard).toBe(heard);
    newest().opens();
    expect(told.at(-1)).toBe('live');
  });

  it('sends its wishes again after a cut, less what was given up', () => {
    connection.start();
    connection.subscribe(['a@trade', 'b@trade']);
    newest().opens();
    connection.subscribe(['a@trade', 'c@trade']);
    expect(newest().sent.map((one) => one.params)).toEqual([['a@trade', 'b@trade'], ['c@trade']]);
    connection.unsubscribe(['b@trade']);
    newest().cut();
    vi.advanceTimersByTime(1_000);
    newest().opens();
    expect(newest().sent[0]).toMatchObject({ method: 'SUBSCRIBE', params: ['a@trade', 'c@trade'] });
  });

  it('waits longer after each failure, but never more than ten seconds', () => {
    connection.start();
    const pauses: number[] = [];
    for (let attempt = 0; attempt < 10; attempt += 1) {
      newest().cut();
      const before = sockets.length;
      const cutAt = Date.now();
      while (sockets.length === before) vi.advanceTimersByTime(50);
      pauses.push(Date.now() - cutAt);
    }
    expect(pauses[0]).toBeLessThan(700);
    expect(Math.max(...pauses)).toBeGreaterThan(5_000);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(10_050);
  });

  it('ignores what an abandoned socket still says', () => {
    connection.start();
    const first = newest();
    first.opens();
    first.cut();
    vi.advanceTimersByTime(1_000);
    first.says({ stream: 'a@trade', data: {} });
    expect(events).toEqual([]);
    expect(told.at(-1)).toBe('reconnecting');
  });
});
