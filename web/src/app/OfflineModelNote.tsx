import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';

import { useApi } from '@/api/ApiContext';
import { configQuery } from '@/api/queries';
import { paths } from '@/config/paths';

/** Tells plainly that answers come from rules while no model is configured. */
export function OfflineModelNote() {
  const { data } = useQuery(configQuery(useApi()));
  if (data?.model.offline !== true) return null;
  return (
    <div className="rounded-xl bg-warning-soft px-3 py-2.5 text-[13px] leading-snug text-warning">
      <p className="font-medium">Offline model</p>
      <p>Answers follow fixed rules.</p>
      <Link to={paths.settings} className="font-medium underline underline-offset-2">
        Use a real one
      </Link>
    </div>
  );
}
