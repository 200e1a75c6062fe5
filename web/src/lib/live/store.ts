import { reduce, type LiveAction } from './reducer';
import { EMPTY, type LiveState } from './state';

/** Holds the live state and tells views when it changed. */
export class LiveStore {
  private state: LiveState = EMPTY;
  private readonly listeners = new Set<() => void>();

  readonly get = (): LiveState => this.state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly dispatch = (action: LiveAction): void => {
    const next = reduce(this.state, action);
    if (next === this.state) return;
    this.state = next;
    for (const listener of this.listeners) listener();
  };
}
