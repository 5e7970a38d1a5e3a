"""Stock RQ workers, for the rq queue mode."""
