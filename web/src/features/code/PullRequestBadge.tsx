import type { PullRequest } from '@/api/types';
import { Badge } from '@/components/ui/Badge';

const TONES = { open: 'info', merged: 'accent', closed: 'neutral' } as const;

export function PullRequestBadge({ status }: { status: PullRequest['status'] }) {
  return <Badge tone={TONES[status]}>{status}</Badge>;
}
