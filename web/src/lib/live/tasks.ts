import type { Task, TaskStatus } from '@/api/types';

import { channelSeq, type WireEvent } from './events';
import type { LiveState, LogLine } from './state';

/** Log lines kept per channel; older ones stay on the server. */
export const MAX_LOG_LINES = 2_000;

const STATUS_AFTER: Record<string, TaskStatus> = {
  'task.created': 'queued',
  'task.started': 'running',
  'task.waiting': 'waiting',
  'task.paused': 'paused',
  'task.resumed': 'running',
  'task.completed': 'completed',
  'task.failed': 'failed',
  'task.cancelled': 'cancelled',
};

/** Takes tasks over from a list; one that is older than what we know changes nothing. */
export function addTasks(state: LiveState, added: readonly Task[]): LiveState {
  const tasks = { ...state.tasks };
  for (const task of added) {
    const known = tasks[task.id];
    if (known === undefined || !isOlder(task, known)) tasks[task.id] = task;
  }
  return { ...state, tasks };
}

/** `task.*` except `task.log`: carries the task, or the fields of it that changed. */
export function applyTask(state: LiveState, event: WireEvent): LiveState {
  const fields = (isRecord(event.data.task) ? event.data.task : event.data) as Partial<Task>;
  const id = fields.id ?? event.task_id;
  if (id === null) return state;
  const known = state.tasks[id];
  if (known === undefined && fields.title === undefined) return state;
  const status = fields.status ?? STATUS_AFTER[event.type];
  const task: Task = {
    ...(known ?? BLANK),
    ...fields,
    ...(status === undefined ? {} : { status }),
    id,
    updated_at: fields.updated_at ?? event.at,
  };
  return addTasks(state, [task]);
}

/** `task.log`: one or more lines of output. */
export function applyLog(state: LiveState, event: WireEvent): LiveState {
  const line = logLineOf(event);
  return line === null ? state : addLog(state, event.channel_id, [line]);
}

export function addLog(
  state: LiveState,
  channelId: string,
  lines: readonly LogLine[],
): LiveState {
  const known = state.logs[channelId] ?? [];
  const ids = new Set(known.map(({ id }) => id));
  const fresh = lines.filter(({ id }) => !ids.has(id));
  if (fresh.length === 0) return state;
  const last = known.at(-1);
  const inOrder = last === undefined || fresh.every(({ seq }) => seq > last.seq);
  const all = [...known, ...fresh];
  if (!inOrder) all.sort((a, b) => a.seq - b.seq);
  return { ...state, logs: { ...state.logs, [channelId]: all.slice(-MAX_LOG_LINES) } };
}

export function logLineOf(event: WireEvent): LogLine | null {
  const { text, stream } = event.data;
  if (event.type !== 'task.log' || typeof text !== 'string') return null;
  const seq = channelSeq(event);
  return {
    id: `${event.actor_id}:${seq}`,
    seq,
    taskId: event.task_id,
    stream: typeof stream === 'string' ? stream : 'log',
    text,
  };
}

/** What a task has before its event has said it. */
const BLANK = {
  actor_id: '',
  agent: '',
  title: '',
  prompt: '',
  requested_by: '',
  progress: 0,
  status: 'queued',
  created_at: '',
} as const;

function isOlder(task: Task, known: Task): boolean {
  return Date.parse(task.updated_at) < Date.parse(known.updated_at);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
