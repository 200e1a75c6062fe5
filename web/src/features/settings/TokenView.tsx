import type { GitToken } from '@/api/types';
import { CopyButton } from '@/components/ui/CopyButton';
import { Time } from '@/components/ui/Time';

/** A new token, shown this once. */
export function TokenView({ token }: { token: GitToken }) {
  return (
    <div role="status" className="animate-rise rounded-xl bg-accent-soft px-4 py-3">
      <p className="text-sm font-medium">Copy the token now: it is not shown again.</p>
      <dl className="mt-2 grid grid-cols-[auto_minmax(0,1fr)_auto] items-center gap-x-3 gap-y-1 text-sm">
        <dt className="text-ink-soft">User name</dt>
        <dd className="font-mono text-[13px]">{token.username}</dd>
        <CopyButton text={token.username} label="Copy user name" />
        <dt className="text-ink-soft">Password</dt>
        <dd className="font-mono text-[13px] break-all">{token.token}</dd>
        <CopyButton text={token.token} label="Copy token" />
      </dl>
      <p className="mt-2 text-xs text-ink-soft">
        {token.scope === 'write' ? 'May read and push' : 'May read'} until{' '}
        <Time at={token.expires_at} />
      </p>
    </div>
  );
}
