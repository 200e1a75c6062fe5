import { MessageCircleQuestion } from 'lucide-react';

import { Badge } from '@/components/ui/Badge';

/** Says that an agent can't go on without an answer. */
export function WaitsBadge() {
  return (
    <Badge tone="warning">
      <MessageCircleQuestion aria-hidden size={13} className="mr-1" /> waits for you
    </Badge>
  );
}
