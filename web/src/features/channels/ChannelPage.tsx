import { SearchX } from 'lucide-react';
import type { ReactNode } from 'react';

import type { Channel } from '@/api/types';
import { EmptyState } from '@/components/ui/EmptyState';
import { HomeLink } from '@/components/ui/HomeLink';
import { PageHeader } from '@/components/ui/PageHeader';
import { useLiveState } from '@/lib/live/LiveContext';
import { channelByName } from '@/lib/live/selectors';

import { ChannelView } from './ChannelView';

interface Props {
  name: string;
  /** Stand at the right end of the header. */
  actions?: ReactNode;
  /** Stands below the header, for agents that have something to tell there. */
  status?: (channel: Channel) => ReactNode;
}

export function ChannelPage({ name, actions, status }: Props) {
  const channel = useLiveState((state) => channelByName(state, name));
  if (channel === undefined) {
    return (
      <>
        <PageHeader title={`#${name}`} />
        <EmptyState
          icon={SearchX}
          title={`There is no #${name}`}
          action={<HomeLink />}
        >
          Agents bring their channels with them. Pick one from the list.
        </EmptyState>
      </>
    );
  }
  return (
    <ChannelView
      key={channel.id}
      channel={channel}
      actions={actions}
      status={status?.(channel)}
    />
  );
}
