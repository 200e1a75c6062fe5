import { useQuery } from '@tanstack/react-query';

import { useApi } from '@/api/ApiContext';
import { configQuery } from '@/api/queries';
import { PageHeader } from '@/components/ui/PageHeader';
import { useLive } from '@/lib/live/LiveContext';

import { AccountSection } from './AccountSection';
import { BillingSection } from './BillingSection';
import { ExportSection } from './ExportSection';
import { GitSection } from './GitSection';
import { LeaveSection } from './LeaveSection';
import { ModelSection } from './ModelSection';
import { PasswordSection } from './PasswordSection';
import { UsageSection } from './UsageSection';

export function SettingsPage() {
  const { grow } = useLive();
  const { data: config } = useQuery(configQuery(useApi()));
  return (
    <div className="flex h-full min-h-0 flex-col">
      <PageHeader title="Settings" subtitle="Billing, model, repository, and account" />
      <div className="min-h-0 flex-1 overflow-y-auto">
        <div className="mx-auto max-w-2xl space-y-5 px-4 py-6 md:px-6">
          <BillingSection />
          <UsageSection />
          <ModelSection />
          {grow.repo_id !== null && <GitSection repoId={grow.repo_id} />}
          <AccountSection />
          {config?.identity === 'local' && <PasswordSection />}
          {config !== undefined && (
            <>
              <ExportSection asksPassword={config.identity === 'local'} />
              <LeaveSection asksPassword={config.identity === 'local'} />
            </>
          )}
        </div>
      </div>
    </div>
  );
}
