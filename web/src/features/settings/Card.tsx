import { useId, type ReactNode } from 'react';

interface Props {
  title: string;
  /** What a link's `#` leads to. */
  anchor?: string;
  children: ReactNode;
}

export function Card({ title, anchor, children }: Props) {
  const id = useId();
  return (
    <section id={anchor} aria-labelledby={id} className="rounded-2xl border border-line bg-surface p-5">
      <h2 id={id} className="mb-3 text-[15px] font-semibold">
        {title}
      </h2>
      {children}
    </section>
  );
}
