import { useId, type ReactNode } from 'react';

/** A part of a page under its heading. */
export function Section({ title, children }: { title: string; children: ReactNode }) {
  const id = useId();
  return (
    <section aria-labelledby={id}>
      <h2 id={id} className="mb-2.5 text-[15px] font-semibold">
        {title}
      </h2>
      {children}
    </section>
  );
}
