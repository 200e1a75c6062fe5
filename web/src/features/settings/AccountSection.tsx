import { useQuery } from '@tanstack/react-query';

import { useApi, useSession } from '@/api/ApiContext';
import { describe } from '@/api/problem';
import { configQuery } from '@/api/queries';
import { Button } from '@/components/ui/Button';
import { Notice } from '@/components/ui/Notice';

import { useLogOutEverywhere } from './account';
import { Card } from './Card';

export function AccountSection() {
  const api = useApi();
  const session = useSession();
  const everywhere = useLogOutEverywhere();
  const { data: config } = useQuery(configQuery(api));
  return (
    <Card title="Account">
      <p>
        {session?.user.name} <span className="text-ink-soft">{session?.user.email}</span>
      </p>
      {config?.identity === 'clerk' && (
        <p className="mt-1 text-sm text-ink-soft">
          Your account is kept by Clerk: change its password there.
        </p>
      )}
      {config?.identity === 'local' && (
        <div className="mt-3 space-y-3">
          <Button busy={everywhere.isPending} onClick={() => everywhere.mutate()}>
            Log out everywhere
          </Button>
          {everywhere.error !== null && (
            <Notice tone="danger">{describe(everywhere.error)}</Notice>
          )}
        </div>
      )}
      {config !== undefined && (
        <p className="mt-3 text-[13px] text-ink-faint">GrowQR {config.version}</p>
      )}
    </Card>
  );
}
