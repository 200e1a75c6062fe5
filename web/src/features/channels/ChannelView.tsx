import type { ReactNode } from 'react';

import type { Channel } from '@/api/types';

import { ChannelComposer } from './ChannelComposer';
import { ChannelHeader } from './ChannelHeader';
import { ChannelMessages } from './ChannelMessages';
import { LogPanel } from './LogPanel';
import { useHistory } from './useHistory';
import { useOpenChannel } from './useOpenChannel';
import { isLoaded, useOpened } from './useOpened';

interface Props {
  channel: Channel;
  actions: ReactNode;
  status: ReactNode;
}

/** One channel on screen, from when it is opened until another one is. */
export function ChannelView({ channel, actions, status }: Props) {
  const opened = useOpened(channel);
  const history = useHistory(channel.id, (state) => isLoaded(state, channel.id, opened));
  useOpenChannel(channel.id);
  const isAgent = channel.kind === 'agent';

  return (
    <div className="flex h-full min-h-0 flex-col">
      <ChannelHeader channel={channel}>{actions}</ChannelHeader>
      {status}
      <ChannelMessages channel={channel} opened={opened} history={history} />
      {isAgent && <LogPanel channel={channel} ready={history.ready} />}
      <div className={isAgent ? 'pt-3' : undefined}>
        <ChannelComposer channel={channel} />
      </div>
    </div>
  );
}
