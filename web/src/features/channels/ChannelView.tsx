import { useState, type ReactNode } from 'react';

import type { Channel } from '@/api/types';

import { ChannelComposer } from './ChannelComposer';
import { ChannelHeader } from './ChannelHeader';
import { ChannelMessages } from './ChannelMessages';
import { LogPanel } from './LogPanel';
import { useHistory } from './useHistory';
import { useOpenChannel } from './useOpenChannel';

interface Props {
  channel: Channel;
  actions: ReactNode;
  status: ReactNode;
}

/** One channel on screen, from when it is opened until another one is. */
export function ChannelView({ channel, actions, status }: Props) {
  const [unread] = useState(channel); // opening it marks everything as read
  const history = useHistory(channel.id);
  useOpenChannel(channel.id);
  const isAgent = channel.kind === 'agent';

  return (
    <div className="flex h-full min-h-0 flex-col">
      <ChannelHeader channel={channel}>{actions}</ChannelHeader>
      {status}
      <ChannelMessages channel={channel} unread={unread} history={history} />
      {isAgent && <LogPanel channel={channel} ready={history.data !== undefined} />}
      <div className={isAgent ? 'pt-3' : undefined}>
        <ChannelComposer channel={channel} />
      </div>
    </div>
  );
}
