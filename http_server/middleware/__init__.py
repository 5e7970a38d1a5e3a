"""Before every route, the fast path's too: who may send requests, and how many."""
