/** What each state of a workspace means to a person. */
const WORDS: Record<string, string> = {
  provisioned: 'Workspace not started yet',
  starting: 'Workspace starting',
  ready: 'Workspace ready',
  busy: 'Workspace at work',
  idle: 'Workspace idle',
  stopped: 'Workspace stopped',
  failed: 'Workspace failed',
};

/** States in which a server runs, so that it can be stopped. */
const RUNNING: ReadonlySet<string> = new Set(['starting', 'ready', 'busy', 'idle']);

export function wordsFor(status: string): string {
  return WORDS[status] ?? status;
}

export function isRunning(status: string): boolean {
  return RUNNING.has(status);
}
