import type { ApiClient } from '@/api/client';
import { ApiError, describe } from '@/api/problem';
import type { Channel } from '@/api/types';

import type { LiveStore } from './store';
import { jitteredBackoff } from './transport';

/** Tries per send; each carries the same key, so at most one message is made. */
const ATTEMPTS = 4;

interface Accepted {
  message_id: string;
  seq: number;
}

/** Sends messages, shows them at once, and settles them when the server has answered. */
export class Sender {
  constructor(
    private readonly api: ApiClient,
    private readonly store: LiveStore,
    private readonly backoff: (attempt: number) => number = jitteredBackoff,
  ) {}

  /** Never throws: a failed message stays in the outbox with its reason. */
  async send(channel: Channel, text: string, clientId: string = newClientId()): Promise<void> {
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
      this.store.dispatch({ type: 'send.failed', clientId, error: describe(error) });
    }
  }

  discard(clientId: string): void {
    this.store.dispatch({ type: 'send.discarded', clientId });
  }

  private async post(channel: Channel, text: string, key: string): Promise<Accepted> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const path = `/actors/${channel.actor_id}/message`;
        return await this.api.post<Accepted>(path, { text }, { idempotencyKey: key });
      } catch (error) {
        const again = error instanceof ApiError && error.retryable && attempt < ATTEMPTS;
        if (!again) throw error;
        await new Promise((resolve) => setTimeout(resolve, this.backoff(attempt)));
      }
    }
  }
}

/** Random enough to be an idempotency key, also where `crypto.randomUUID` is missing. */
function newClientId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `web_${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}
