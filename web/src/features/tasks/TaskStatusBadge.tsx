import type { TaskStatus } from '@/api/types';
import { Badge, type BadgeTone } from '@/components/ui/Badge';

const TONES: Record<TaskStatus, BadgeTone> = {
  queued: 'neutral',
  running: 'info',
  paused: 'warning',
  waiting: 'warning',
  completed: 'accent',
  failed: 'danger',
  cancelled: 'neutral',
};

const WORDS: Partial<Record<TaskStatus, string>> = { waiting: 'waits for you' };

export function TaskStatusBadge({ status }: { status: TaskStatus }) {
  return <Badge tone={TONES[status]}>{WORDS[status] ?? status}</Badge>;
}
