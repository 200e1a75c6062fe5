const KEY = 'growqr.unsent';

/**
 * What was written but not sent, by channel. It outlives a reload of its tab, and is gone with
 * the login.
 */
export class Unsent {
  private readonly texts: Map<string, string>;

  constructor(private readonly storage: Storage = window.sessionStorage) {
    this.texts = new Map(read(storage));
  }

  get(channelId: string): string | undefined {
    return this.texts.get(channelId);
  }

  set(channelId: string, text: string): void {
    if (text === '') this.texts.delete(channelId);
    else this.texts.set(channelId, text);
    this.storage.setItem(KEY, JSON.stringify([...this.texts]));
  }

  clear(): void {
    this.texts.clear();
    this.storage.removeItem(KEY);
  }
}

function read(storage: Storage): [string, string][] {
  try {
    const value: unknown = JSON.parse(storage.getItem(KEY) ?? '[]');
    return Array.isArray(value) ? value.filter(isEntry) : [];
  } catch {
    return [];
  }
}

function isEntry(value: unknown): value is [string, string] {
  return Array.isArray(value) && value.length === 2 && value.every((part) => typeof part === 'string');
}
