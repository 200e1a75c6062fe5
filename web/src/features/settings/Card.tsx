import { useId, type ReactNode } from 'react';

export function Card({ title, children }: { title: string; children: ReactNode }) {
  const id = useId();
  return (
    <section aria-labelledby={id} className="rounded-2xl border border-line bg-surface p-5">
      <h2 id={id} className="mb-3 text-[15px] font-semibold">
        {title}
      </h2>
      {children}
    </section>
  );
}
