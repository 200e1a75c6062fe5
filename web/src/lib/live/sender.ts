import type { ApiClient } from '@/api/client';
import { ApiError, describe, needsPlan } from '@/api/problem';
import type { Channel, MessagePosted } from '@/api/types';
import { newKey } from '@/lib/keys';

import type { Pending } from './state';
import type { LiveStore } from './store';
import { jitteredBackoff } from './transport';

/** Tries per send; each carries the same key, so at most one message is made. */
const ATTEMPTS = 4;

/** Sends messages, shows them at once, and settles them when the server has answered. */
export class Sender {
  private readonly underWay = new Set<string>();
  private resumed: Promise<void> = Promise.resolve();

  constructor(
    private readonly api: ApiClient,
    private readonly store: LiveStore,
    private readonly backoff: (attempt: number) => number = jitteredBackoff,
  ) {}

  /**
   * Never throws: a failed message stays in the outbox with its reason, and one that the server
   * may take the next time waits there for `resume`.
   *
   * `answers` is the id of the question that it answers; the `clientId` of a message that
   * failed sends that one again.
   */
  async send(
    channel: Channel,
    text: string,
    { answers, clientId = newKey() }: { answers?: string | undefined; clientId?: string } = {},
  ): Promise<void> {
    this.store.dispatch({
      type: 'send.started',
      pending: {
        clientId,
        channelId: channel.id,
        text,
        answers,
        author: this.api.session.get()?.user.name ?? '',
        at: new Date().toISOString(),
      },
    });
    this.underWay.add(clientId);
    try {
      const body = answers === undefined ? { text } : { text, answers };
      const { message_id: messageId, seq } = await this.post(channel, body, clientId);
      this.store.dispatch({ type: 'send.accepted', clientId, messageId, seq });
    } catch (error) {
      this.store.dispatch({
        type: 'send.failed',
        clientId,
        error: describe(error),
        needsPlan: needsPlan(error),
        retryable: error instanceof ApiError && error.retryable,
      });
    } finally {
      this.underWay.delete(clientId);
    }
  }

  /** The server is there again: sends what waits for it, in the order in which it was written. */
  resume(): Promise<void> {
    this.resumed = this.resumed.then(() => this.sendWaiting());
    return this.resumed;
  }

  discard(clientId: string): void {
    this.store.dispatch({ type: 'send.discarded', clientId });
  }

  private async sendWaiting(): Promise<void> {
    const waits = ({ clientId, status, retryable }: Pending): boolean =>
      !this.underWay.has(clientId) && (status === 'sending' || retryable === true);
    for (const { clientId } of this.store.get().outbox.filter(waits)) {
      const { channels, outbox } = this.store.get();
      const pending = outbox.find((one) => one.clientId === clientId && waits(one)); // else discarded
      const channel = channels.find(({ id }) => id === pending?.channelId);
      if (pending !== undefined && channel !== undefined) {
        await this.send(channel, pending.text, pending);
      }
    }
  }

  private async post(
    channel: Channel,
    body: { text: string; answers?: string },
    key: string,
  ): Promise<MessagePosted> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const path = `/actors/${channel.actor_id}/message`;
        return await this.api.post<MessagePosted>(path, body, { idempotencyKey: key });
      } catch (error) {
        const again = error instanceof ApiError && error.retryable && attempt < ATTEMPTS;
        if (!again) throw error;
        await new Promise((resolve) => setTimeout(resolve, this.backoff(attempt)));
      }
    }
  }
}
