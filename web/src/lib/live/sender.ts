import type { ApiClient } from '@/api/client';
import { ApiError, describe } from '@/api/problem';
import type { Channel, MessagePosted } from '@/api/types';
import { newKey } from '@/lib/keys';

import type { LiveStore } from './store';
import { jitteredBackoff } from './transport';

/** Tries per send; each carries the same key, so at most one message is made. */
const ATTEMPTS = 4;

/** Sends messages, shows them at once, and settles them when the server has answered. */
export class Sender {
  constructor(
    private readonly api: ApiClient,
    private readonly store: LiveStore,
    private readonly backoff: (attempt: number) => number = jitteredBackoff,
  ) {}

  /** Never throws: a failed message stays in the outbox with its reason. */
  async send(channel: Channel, text: string, clientId: string = newKey()): Promise<void> {
    this.store.dispatch({
      type: 'send.started',
      pending: {
        clientId,
        channelId: channel.id,
        text,
        author: this.api.session.get()?.user.name ?? '',
        at: new Date().toISOString(),
      },
    });
    try {
      const { message_id: messageId, seq } = await this.post(channel, text, clientId);
      this.store.dispatch({ type: 'send.accepted', clientId, messageId, seq });
    } catch (error) {
      const needsPlan = error instanceof ApiError && error.status === 402;
      this.store.dispatch({
        type: 'send.failed',
        clientId,
        error: describe(error),
        needsPlan,
      });
    }
  }

  discard(clientId: string): void {
    this.store.dispatch({ type: 'send.discarded', clientId });
  }

  private async post(channel: Channel, text: string, key: string): Promise<MessagePosted> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const path = `/actors/${channel.actor_id}/message`;
        return await this.api.post<MessagePosted>(path, { text }, { idempotencyKey: key });
      } catch (error) {
        const again = error instanceof ApiError && error.retryable && attempt < ATTEMPTS;
        if (!again) throw error;
        await new Promise((resolve) => setTimeout(resolve, this.backoff(attempt)));
      }
    }
  }
}
