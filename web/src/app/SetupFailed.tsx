import { useApi } from '@/api/ApiContext';
import { Button } from '@/components/ui/Button';
import { ErrorState } from '@/components/ui/ErrorState';
import { Logo } from '@/components/ui/Logo';

/** The agent could not be woken: why, and what can be done. */
export function SetupFailed({ error, retry }: { error: Error; retry: () => void }) {
  const { session } = useApi();
  return (
    <main className="flex h-dvh flex-col items-center justify-center">
      <Logo />
      <ErrorState error={error} retry={retry} />
      <Button variant="ghost" size="small" onClick={() => session.clear()}>
        Log out
      </Button>
    </main>
  );
}
