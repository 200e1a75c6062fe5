import type { LiveState } from './state';

/** What a task asks its user; the message that asks carries it in its metadata. */
export interface Question {
  id: string;
  taskId: string;
  kind: 'permission' | 'question' | 'conflict';
  /** What can be chosen; any other text is an answer, too. */
  options: readonly string[];
  /** When it counts as answered with no, in milliseconds since the epoch; null: it stays open. */
  expiresAt: number | null;
}

export type QuestionState =
  | { kind: 'open' }
  /** An answer is on its way. */
  | { kind: 'answering' }
  | { kind: 'answered'; answer: string }
  | { kind: 'expired' }
  /** Closed without our knowing how: its task was cancelled, or its end is not loaded. */
  | { kind: 'closed' };

/** The question in a message's or a task's fields; null when there is none. */
export function questionIn(fields: Record<string, unknown>): Question | null {
  const { question } = fields;
  if (typeof question !== 'object' || question === null) return null;
  const { id, task_id: taskId, kind, options, expires_at: end } = question as Record<string, unknown>;
  if (typeof id !== 'string' || typeof taskId !== 'string') return null;
  const expiresAt = typeof end === 'string' ? Date.parse(end) : Number.NaN;
  return {
    id,
    taskId,
    kind: kind === 'permission' || kind === 'conflict' ? kind : 'question',
    options: Array.isArray(options) ? options.filter((one) => typeof one === 'string') : [],
    expiresAt: Number.isNaN(expiresAt) ? null : expiresAt,
  };
}

/** Ids of the questions that wait for an answer in the channel of `actorId`, oldest first. */
export function openQuestions(state: LiveState, actorId: string): string[] {
  return waiting(state, actorId).map(({ id }) => id);
}

/**
 * The oldest of them that a message in the channel answers. One about a conflict is none: work
 * goes on beside it, so it is answered where it stands.
 */
export function questionOfMessages(state: LiveState, actorId: string): string | undefined {
  return waiting(state, actorId).find(({ kind }) => kind !== 'conflict')?.id;
}

function waiting(state: LiveState, actorId: string): Question[] {
  return Object.values(state.tasks)
    .filter((task) => task.actor_id === actorId && task.status === 'waiting')
    .sort((a, b) => Date.parse(a.updated_at) - Date.parse(b.updated_at))
    .map(questionIn)
    .filter((question) => question !== null);
}

/** How a question stands: a message that answers it or says that its time was up ends it. */
export function questionState(
  state: LiveState,
  channelId: string,
  question: Question,
): QuestionState {
  for (const id of state.timelines[channelId] ?? []) {
    const message = state.messages[id];
    if (message?.metadata.answers === question.id) return { kind: 'answered', answer: message.text };
    if (message?.metadata.expired === question.id) return { kind: 'expired' };
  }
  const sending = state.outbox.some(
    ({ answers, status }) => answers === question.id && status === 'sending',
  );
  if (sending) return { kind: 'answering' };
  const task = state.tasks[question.taskId];
  const open = task?.status === 'waiting' && questionIn(task)?.id === question.id;
  return { kind: open ? 'open' : 'closed' };
}
