import { Code, GitBranch, Map, Sprout, type LucideIcon } from 'lucide-react';

import { cx } from './cx';

const AGENTS: Record<string, { icon: LucideIcon; style: string }> = {
  grow: { icon: Sprout, style: 'bg-accent text-accent-ink' },
  coding: { icon: Code, style: 'bg-info-soft text-info' },
  repo: { icon: GitBranch, style: 'bg-warning-soft text-warning' },
  quest: { icon: Map, style: 'bg-accent-soft text-accent-strong' },
};

/** A person's initial, or an agent's sign. */
export function Avatar({ name, size = 'medium' }: { name: string; size?: 'small' | 'medium' }) {
  const agent = AGENTS[name.toLowerCase()];
  return (
    <span
      aria-hidden
      className={cx(
        'flex shrink-0 items-center justify-center font-semibold select-none',
        size === 'small' ? 'size-7 rounded-lg text-xs' : 'size-9 rounded-xl text-sm',
        agent?.style ?? 'bg-ink text-canvas',
      )}
    >
      {agent === undefined ? (
        (name.trim()[0] ?? '?').toUpperCase()
      ) : (
        <agent.icon size={size === 'small' ? 14 : 18} strokeWidth={2} />
      )}
    </span>
  );
}
