import { Link } from '@tanstack/react-router';

import type { Channel } from '@/api/types';
import { cx } from '@/components/ui/cx';
import { StatusDot } from '@/components/ui/StatusDot';
import { paths } from '@/config/paths';
import { useLiveState } from '@/lib/live/LiveContext';
import { showQuestion } from '@/lib/showQuestion';

import { useAsked } from './useAsked';
import { WaitsBadge } from './WaitsBadge';

/** The list of channels with what is new in them. */
export function ChannelNav() {
  const channels = useLiveState((state) => state.channels);
  return (
    <nav aria-label="Channels">
      <h2 className="px-3 pb-1.5 text-xs font-medium text-ink-faint">Channels</h2>
      <ul className="space-y-0.5">
        {channels.map((channel) => (
          <li key={channel.id}>
            <ChannelLink channel={channel} />
          </li>
        ))}
      </ul>
    </nav>
  );
}

function ChannelLink({ channel }: { channel: Channel }) {
  const { name, status, unread } = channel;
  const asked = useAsked(channel);
  return (
    <Link
      to={paths.channel}
      params={{ name }}
      onClick={() => {
        if (asked !== undefined) showQuestion(asked); // a channel that is not open yet opens there
      }}
      className={cx(
        'flex h-9 items-center gap-2 rounded-lg px-3 transition-colors hover:bg-hover',
        'aria-[current=page]:bg-accent-soft aria-[current=page]:font-medium aria-[current=page]:text-accent-strong',
        unread > 0 ? 'font-semibold text-ink' : 'text-ink-soft',
      )}
    >
      <span aria-hidden className="w-3 shrink-0 text-center text-ink-faint">
        #
      </span>
      <span className="min-w-0 flex-1 truncate">
        {name}
        <span className="sr-only">
          {asked === undefined ? `, ${status}` : ', '}
        </span>
      </span>
      {asked !== undefined && <WaitsBadge />}
      {unread > 0 && (
        <span className="rounded-full bg-accent px-1.5 text-[11px] leading-[18px] font-semibold text-accent-ink">
          <span className="sr-only">, </span>
          {unread > 99 ? '99+' : unread}
          <span className="sr-only"> unread</span>
        </span>
      )}
      {asked === undefined && <StatusDot status={status} />}
    </Link>
  );
}
