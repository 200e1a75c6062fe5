import { useApi } from '@/api/ApiContext';
import { needsPlan } from '@/api/problem';
import { Button } from '@/components/ui/Button';
import { ErrorState } from '@/components/ui/ErrorState';
import { Logo } from '@/components/ui/Logo';
import { BillingSection } from '@/features/settings/BillingSection';

/** The agent could not be woken: why, and what can be done. */
export function SetupFailed({ error, retry }: { error: Error; retry: () => void }) {
  const { session } = useApi();
  return (
    <main className="flex h-dvh flex-col items-center justify-center gap-2 px-5">
      <Logo />
      <ErrorState error={error} retry={retry} showPlan={false} />
      {needsPlan(error) && <BillingSection />}
      <Button variant="ghost" size="small" onClick={() => session.clear()}>
        Log out
      </Button>
    </main>
  );
}
