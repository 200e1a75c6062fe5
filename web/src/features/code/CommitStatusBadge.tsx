import type { CommitStatuses } from '@/api/types';
import { Badge } from '@/components/ui/Badge';

const WORDS = {
  pending: { text: 'being checked', tone: 'neutral' },
  success: { text: 'nothing failed', tone: 'info' },
  failure: { text: 'something failed', tone: 'danger' },
  error: { text: 'could not be checked', tone: 'danger' },
} as const;

/** How the work on a commit went, where something is said of it. */
export function CommitStatusBadge({ said }: { said: CommitStatuses | null }) {
  if (!said?.state) return null;
  const { text, tone } = WORDS[said.state];
  const details = said.statuses.map((it) => `${it.context}: ${it.description || it.state}`);
  return (
    <Badge tone={tone} title={details.join('\n')}>
      {text}
    </Badge>
  );
}
