import type { Pending } from './state';

const DRAFTS = 'growqr.unsent';
const OUTBOX = 'growqr.outbox';

/**
 * What was written but did not reach the server: half-written texts by channel, and messages
 * without an answer. It outlives a reload of its tab, and is gone with the login.
 */
export class Unsent {
  private readonly texts: Map<string, string>;

  constructor(private readonly storage: Storage = window.sessionStorage) {
    this.texts = new Map(read(storage, DRAFTS).filter(isEntry));
  }

  get(channelId: string): string | undefined {
    return this.texts.get(channelId);
  }

  set(channelId: string, text: string): void {
    if (text === '') this.texts.delete(channelId);
    else this.texts.set(channelId, text);
    this.storage.setItem(DRAFTS, JSON.stringify([...this.texts]));
  }

  /** The messages that were kept before the page was loaded. */
  outbox(): Pending[] {
    return read(this.storage, OUTBOX).filter(isPending);
  }

  keep(outbox: readonly Pending[]): void {
    this.storage.setItem(OUTBOX, JSON.stringify(outbox));
  }

  clear(): void {
    this.texts.clear();
    this.storage.removeItem(DRAFTS);
    this.storage.removeItem(OUTBOX);
  }
}

function read(storage: Storage, key: string): unknown[] {
  try {
    const value: unknown = JSON.parse(storage.getItem(key) ?? '[]');
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

function isPending(value: unknown): value is Pending {
  if (typeof value !== 'object' || value === null) return false;
  const { clientId, channelId, text, author, at, afterSeq, status } = value as Partial<Pending>;
  const words = [clientId, channelId, text, author, at];
  return (
    words.every((word) => typeof word === 'string') &&
    typeof afterSeq === 'number' &&
    (status === 'sending' || status === 'failed')
  );
}

function isEntry(value: unknown): value is [string, string] {
  return Array.isArray(value) && value.length === 2 && value.every((part) => typeof part === 'string');
}
