import type { Channel } from '@/api/types';
import { Badge } from '@/components/ui/Badge';
import { StatusDot } from '@/components/ui/StatusDot';
import { showQuestion } from '@/lib/showQuestion';

import { isStopped } from './names';
import { useAsked } from './useAsked';
import { WaitsBadge } from './WaitsBadge';

/** How a channel's agent stands; when it waits for an answer, the way to the question. */
export function ChannelStatus({ channel }: { channel: Channel }) {
  const asked = useAsked(channel);
  if (asked === undefined) {
    return (
      <Badge tone={isStopped(channel) ? 'warning' : 'neutral'}>
        <StatusDot status={channel.status} className="mr-1.5" />
        {channel.status}
      </Badge>
    );
  }
  return (
    <button
      type="button"
      className="inline-flex rounded-md underline-offset-2 hover:underline"
      onClick={() => showQuestion(asked)}
    >
      <WaitsBadge />
      <span className="sr-only">: go to the question</span>
    </button>
  );
}
