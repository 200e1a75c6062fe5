import { Link } from '@tanstack/react-router';

import { paths } from '@/config/paths';

/** The way on from where there is nothing. */
export function HomeLink() {
  return (
    <Link to={paths.home} className="font-medium text-accent-strong underline underline-offset-4">
      Back to your agent
    </Link>
  );
}
