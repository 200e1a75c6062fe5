import { Logo } from '@/components/ui/Logo';
import { Spinner } from '@/components/ui/Spinner';

export function SettingUp() {
  return (
    <main className="flex h-dvh animate-fade flex-col items-center justify-center gap-4">
      <Logo />
      <p role="status" className="flex items-center gap-2 text-sm text-ink-soft">
        <Spinner size={14} /> Waking your agents…
      </p>
    </main>
  );
}
