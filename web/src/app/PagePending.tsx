import { Skeleton } from '@/components/ui/Skeleton';

/** In the place of a page whose code takes long to come. */
export function PagePending() {
  return (
    <div className="mx-auto max-w-3xl animate-fade px-4 py-24 md:px-6">
      <Skeleton lines={6} label="Loading page" />
    </div>
  );
}
