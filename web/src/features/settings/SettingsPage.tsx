import { PageHeader } from '@/components/ui/PageHeader';
import { useLive } from '@/lib/live/LiveContext';

import { AccountSection } from './AccountSection';
import { BillingSection } from './BillingSection';
import { GitSection } from './GitSection';
import { ModelSection } from './ModelSection';
import { UsageSection } from './UsageSection';

export function SettingsPage() {
  const { grow } = useLive();
  return (
    <div className="flex h-full min-h-0 flex-col">
      <PageHeader title="Settings" subtitle="Billing, model, and your repository" />
      <div className="min-h-0 flex-1 overflow-y-auto">
        <div className="mx-auto max-w-2xl space-y-5 px-4 py-6 md:px-6">
          <BillingSection />
          <UsageSection />
          <ModelSection />
          {grow.repo_id !== null && <GitSection repoId={grow.repo_id} />}
          <AccountSection />
        </div>
      </div>
    </div>
  );
}
