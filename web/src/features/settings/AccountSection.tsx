import { useQuery } from '@tanstack/react-query';

import { useApi, useSession } from '@/api/ApiContext';
import { configQuery } from '@/api/queries';

import { Card } from './Card';

export function AccountSection() {
  const api = useApi();
  const session = useSession();
  const { data: config } = useQuery(configQuery(api));
  return (
    <Card title="Account">
      <p>
        {session?.user.name} <span className="text-ink-soft">{session?.user.email}</span>
      </p>
      {config?.identity === 'clerk' && (
        <p className="mt-1 text-sm text-ink-soft">
          Your account is kept by Clerk: change its password, or delete it, there.
        </p>
      )}
      {config !== undefined && (
        <p className="mt-1 text-[13px] text-ink-faint">GrowQR {config.version}</p>
      )}
    </Card>
  );
}
