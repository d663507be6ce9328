/**
 * What a person does with orders on a book: place, cancel, and hear what came of it.
 *
 * Promises: an order whose answer was lost is asked after by its client order id and never sent
 * again; refusals and silence are told as notices, in the server's own words.
 */
import type { Account } from './account.svelte.ts';
import type { Instrument } from './instrument.ts';
import type { Notices } from './notices.svelte.ts';
import { type Order, orderFromWire } from './orders.ts';
import { NoAnswer, type PairWish, Refusal, rest } from './rest.ts';
import { type Wish, isPair } from './ticket.ts';
import { countText, nameText, orderNews, pairNews } from './words.ts';

const NEWS_WAIT_MS = 120;
const RETRY_MS = 1_500;

export function newClientOrderId(): string {
  return `web-${crypto.getRandomValues(new BigUint64Array(2)).join('-')}`.slice(0, 36);
}

/** What a notice is about: an order, or the pair that it is of. */
function subjectOf(order: Order): string {
  return order.list >= 0 ? `${order.symbol}-list-${order.list}` : order.key;
}

/** Says why something was not done. Signed out: the account on the page is left. */
export function tellRefusal(
  fault: unknown,
  title: string,
  account: Account,
  notices: Notices,
): void {
  if (fault instanceof Refusal && fault.signedOut) {
    account.leave();
    notices.say('bad', title, `${fault.message} Sign in again.`, 'signed-out');
  } else if (fault instanceof Refusal) {
    notices.say('bad', title, fault.code ? `${fault.message} (${fault.code})` : fault.message);
  } else if (fault instanceof NoAnswer) {
    notices.say('bad', title, fault.message);
  } else {
    throw fault;
  }
}

export class Desk {
  sending = $state(false);

  #news = new Map<string, ReturnType<typeof setTimeout>>();
  /** What is being cancelled together: one notice tells it. */
  #together = new Set<string>();
  #unanswered: { symbol: string; clientOrderId: string }[] = [];

  /** `refresh` reads the account again, for a page that has no user stream. */
  constructor(
    private readonly account: Account,
    private readonly notices: Notices,
    private readonly instruments: () => readonly Instrument[],
    private readonly refresh: () => void,
  ) {}

  /** True when the house accepted it. Refusals and silence are told as notices. */
  async place(wish: Wish): Promise<boolean> {
    const clientOrderId = newClientOrderId();
    this.sending = true;
    try {
      if (isPair(wish)) await this.#placePair(wish, clientOrderId);
      else
        this.#took(orderFromWire(await rest.place({ ...wish, newClientOrderId: clientOrderId })));
      return true;
    } catch (fault) {
      if (fault instanceof NoAnswer) {
        this.#unanswered.push({ symbol: wish.symbol, clientOrderId });
        this.notices.say(
          'wait',
          'No answer yet',
          'The order may or may not have arrived. Asking the house for it; do not send it again.',
          clientOrderId,
        );
        setTimeout(() => void this.resolve(), RETRY_MS);
      } else {
        this.#refused(fault, 'Order refused');
      }
      return false;
    } finally {
      this.sending = false;
    }
  }

  /** Both or none: an answer that was lost is asked after by one of the two. */
  async #placePair(wish: PairWish, clientOrderId: string): Promise<void> {
    const { orderReports } = await rest.placePair({ ...wish, aboveClientOrderId: clientOrderId });
    for (const report of orderReports ?? []) this.#took(orderFromWire(report));
    this.refresh();
  }

  async cancel(order: Order): Promise<void> {
    try {
      await rest.cancel(order.symbol, order.orderId);
      this.#took({ ...order, status: 'CANCELED', updated: Math.max(order.updated, Date.now()) });
    } catch (fault) {
      this.#refused(fault, 'Not cancelled');
    }
  }

  /** Cancel what is open, of one instrument or of all. */
  async cancelAll(symbol: string | null): Promise<void> {
    const among = new Set(this.account.open.map((order) => order.symbol));
    for (const one of symbol ? [symbol] : among) {
      for (const order of this.account.open) {
        if (order.symbol === one) this.#together.add(subjectOf(order));
      }
      try {
        const cancelled = await rest.cancelAll(one);
        const pairs = cancelled.filter((each) => 'orderReports' in each).length;
        const instrument = this.instruments().find((each) => each.symbol === one);
        this.notices.say(
          'plain',
          'Orders cancelled',
          `${countText(cancelled.length - pairs, pairs)} on ${instrument ? nameText(instrument) : one}`,
          `all-${one}`,
        );
        await this.account.readHistory(one);
      } catch (fault) {
        if (fault instanceof Refusal && fault.status === 404) await this.#cancelEach(one);
        else this.#refused(fault, 'Not cancelled');
      }
    }
  }

  async #cancelEach(symbol: string): Promise<void> {
    const among = this.account.open.filter((order) => order.symbol === symbol);
    for (const order of among) await this.cancel(order);
  }

  #took(order: Order): void {
    this.account.takeOrders([order]);
    this.tell(order);
    this.refresh();
  }

  /** One notice for the burst of events of an order or a pair, from where it came to rest. */
  tell(order: Order): void {
    const subject = subjectOf(order);
    clearTimeout(this.#news.get(subject));
    this.#news.set(
      subject,
      setTimeout(() => {
        this.#news.delete(subject);
        const instrument = this.instruments().find((one) => one.symbol === order.symbol);
        if (!instrument) return;
        const rows = order.list >= 0 ? this.#pairOf(order) : [this.#newest(order)];
        if (this.#together.has(subject) && rows.every((one) => one.status === 'CANCELED')) return;
        const [first = order] = rows;
        const news = order.list >= 0 ? pairNews(rows, instrument) : orderNews(first, instrument);
        this.notices.say(news.tone, news.title, news.text, subject);
      }, NEWS_WAIT_MS),
    );
  }

  #newest(order: Order): Order {
    return this.account.orders.find((one) => one.key === order.key) ?? order;
  }

  #pairOf({ symbol, list }: Order): readonly Order[] {
    const pair = this.account.orders.filter((one) => one.symbol === symbol && one.list === list);
    return pair.sort((left, right) => (left.stop < right.stop ? -1 : 1)); // its stop last
  }

  #refused(fault: unknown, title: string): void {
    tellRefusal(fault, title, this.account, this.notices);
  }

  /** Asks after orders whose answer was lost, by their client order id, until the house knows. */
  async resolve(): Promise<void> {
    const asked = this.#unanswered;
    this.#unanswered = [];
    for (const one of asked) {
      try {
        const order = orderFromWire(await rest.find(one.symbol, one.clientOrderId));
        this.notices.say('plain', 'The order had arrived', '', one.clientOrderId);
        this.#took(order);
      } catch (fault) {
        if (fault instanceof Refusal && fault.code === -2013) {
          this.notices.say(
            'bad',
            'The order did not arrive',
            'Nothing was placed.',
            one.clientOrderId,
          );
        } else {
          this.#unanswered.push(one);
        }
      }
    }
    if (this.#unanswered.length > 0) setTimeout(() => void this.resolve(), RETRY_MS * 2);
  }
}
