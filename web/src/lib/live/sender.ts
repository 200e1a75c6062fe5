import type { ApiClient } from '@/api/client';
import { ApiError, describe, needsPlan } from '@/api/problem';
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

  /**
   * Never throws: a failed message stays in the outbox with its reason.
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
      });
    }
  }

  discard(clientId: string): void {
    this.store.dispatch({ type: 'send.discarded', clientId });
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
