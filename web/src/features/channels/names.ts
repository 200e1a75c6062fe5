import type { Channel } from '@/api/types';

/** How an author or a channel's agent is called on screen: agents' names are lower case. */
export function nameOf(author: string): string {
  if (author === '') return 'Unknown';
  return author.charAt(0).toUpperCase() + author.slice(1);
}

/** Whether the channel's agent takes no messages: its user or its plan stopped it. */
export function isStopped({ status }: Channel): boolean {
  return status === 'stopped' || status === 'suspended';
}
